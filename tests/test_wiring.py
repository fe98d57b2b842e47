"""Edge budgets, legal edges, and which edges are chosen."""

from __future__ import annotations

import pytest
import torch

from micronet.errors import MicronetError
from micronet.wiring import (
    BlockShape,
    classifier_budget,
    keep_alive,
    keep_largest,
    kept_edges,
    legal_edges,
    legal_tiny_edges,
    mobilenet_blocks,
    released_selection,
    tiny_level_offsets,
)

# Entries that DNW's released code keeps, block by block (numel - int(p · numel)).
RELEASED_BUDGETS = [
    (1, 0.15, (47, 553, 2212, 32_441, 35_390)),
    (1, 0.225, (104, 1245, 4977, 72_991, 79_627)),
    (1, 0.3, (185, 2212, 8848, 129_762, 141_558)),
    (1, 0.49, (492, 5901, 23_603, 346_175, 377_645)),
    (1, 0.51, (533, 6393, 25_569, 375_011, 409_102)),
    (2, 0.5, (2048, 24_576, 98_304, 1_441_792, 1_572_864)),
]


@pytest.mark.parametrize(("width", "density", "budgets"), RELEASED_BUDGETS)
def test_block_budgets_are_the_released_ones(
    width: int, density: float, budgets: tuple[int, ...]
) -> None:
    blocks = mobilenet_blocks(width)

    assert tuple(block.edge_budget(density) for block in blocks) == budgets
    # The release's own floating-point rule, for its prune_rate = 1 - d.
    rates = [block.released_prune_rate(1 - density) for block in blocks]
    assert budgets == tuple(
        block.stored_edges - int(rate * block.stored_edges)
        for block, rate in zip(blocks, rates, strict=True)
    )


def test_twice_as_wide_wiring_has_mobilenets_edges() -> None:
    """Half the width of twice the channels: the edges of MobileNetV1 itself, classifier too."""
    budgets = [block.edge_budget(0.5) for block in mobilenet_blocks(2)]

    assert sum(budgets) == sum(block.mobilenet_edges for block in mobilenet_blocks(1)) == 3_139_584
    assert classifier_budget(2048, 1000, 0.5) == 1024 * 1000


@pytest.mark.parametrize(
    ("density", "parameters"),
    # stem 864 + 9 for each of 4,960 nodes + edges + classifier weights, everything alive
    # (the release prints 434,847: its counter takes int(1,024,000 · 0.22499999999999998) edges)
    [(0.15, 269_747), (0.225, 434_848)],
)
def test_small_wirings_add_up_to_the_published_parameters(density: float, parameters: int) -> None:
    blocks = mobilenet_blocks(1)
    edges = sum(block.edge_budget(density) for block in blocks)
    nodes = sum(block.sources for block in blocks)

    assert nodes == 4960
    assert 864 + 9 * nodes + edges + classifier_budget(1024, 1000, density) == parameters


@pytest.mark.parametrize("density", [0.1, 0.2, 0.3, 0.225, 0.7])
@pytest.mark.parametrize("edges", [9408, 4096, 36_864, 2_048_000, 2_359_296])
def test_kept_edges_is_what_truncated_pruning_leaves(edges: int, density: float) -> None:
    assert kept_edges(edges, density) == edges - int((1 - density) * edges)


def test_legal_edges_lead_to_later_levels() -> None:
    """Two inputs and two levels of one node: inputs → both levels, level 1 → level 2."""
    assert legal_edges(BlockShape(2, 1, 1, 2)).tolist() == [
        [True, True, False],
        [True, True, True],
    ]


def test_number_of_legal_edges() -> None:
    """L · inputs · outputs from the inputs, and a pair of levels for each two of the L."""
    block = mobilenet_blocks(1)[3]

    assert int(legal_edges(block).sum()) == 6 * 256 * 512 + 6 * 5 // 2 * 512**2


def test_tiny_levels() -> None:
    assert tiny_level_offsets(800, 5) == (0, 32, 224, 416, 608, 800)
    # Rows from each level's end on; the last level's 192 nodes feed the last 100.
    expected = 32 * 768 + 192 * (576 + 384 + 192) + 192 * 100
    assert int(legal_tiny_edges(800, 5).sum()) == expected


def test_tiny_levels_of_unequal_size_are_refused() -> None:
    with pytest.raises(MicronetError, match="cannot split dim = 801"):
        tiny_level_offsets(801, 5)


def test_largest_magnitudes_win_and_ties_go_to_the_first() -> None:
    weight = torch.tensor([[1.0, -3.0, 2.0], [-2.0, 2.0, 0.5]])

    assert keep_largest(weight, 3).tolist() == [[False, True, True], [True, False, False]]


def test_only_candidates_are_kept() -> None:
    weight = torch.tensor([5.0, 0.0, -4.0, 0.0])
    candidates = torch.tensor([False, True, True, True])

    assert keep_largest(weight, 2, candidates).tolist() == [False, True, True, False]


@pytest.mark.parametrize("kept", [0, 1, 7, 12])
def test_exactly_the_budget_is_kept_even_when_all_weights_are_equal(kept: int) -> None:
    mask = keep_largest(torch.ones(3, 4), kept)

    assert mask.flatten().tolist() == [index < kept for index in range(12)]


@pytest.mark.parametrize("kept", [-1, 4])
def test_impossible_budget_is_refused(kept: int) -> None:
    with pytest.raises(MicronetError, match=f"Cannot keep {kept} of 3 edges"):
        keep_largest(torch.ones(2, 2), kept, torch.tensor([[True, True], [True, False]]))


def test_nan_is_refused() -> None:
    with pytest.raises(MicronetError, match="NaN"):
        keep_largest(torch.tensor([1.0, float("nan")]), 1)


def test_released_selection_ranks_illegal_edges_too() -> None:
    """p = 1/3 of 6 entries is dropped: the two smallest, wherever they stand."""
    weight = torch.tensor([[0.1, 4.0, -9.0], [3.0, -2.0, 0.2]])

    kept = released_selection(weight, 1 / 3)

    assert kept.tolist() == [[False, True, True], [True, True, False]]


def test_nodes_stay_alive_at_the_expense_of_the_weakest_edges() -> None:
    """The two largest weights share a target; source 1 and target 1 would be forgotten."""
    weight = torch.tensor([[9.0, 1.0], [8.0, 2.0], [7.0, 3.0]])
    everything = torch.ones(3, 2, dtype=torch.bool)

    kept = keep_alive(weight, 4, everything)

    assert kept.tolist() == [[True, False], [True, False], [True, True]]


def test_where_all_nodes_are_reached_the_largest_edges_are_kept() -> None:
    torch.manual_seed(0)
    weight = torch.randn(20, 30)
    everything = torch.ones(20, 30, dtype=torch.bool)

    assert torch.equal(keep_alive(weight, 500, everything), keep_largest(weight, 500))


@pytest.mark.parametrize("kept", [1, 31, 32, 47, 63])
def test_a_tight_budget_reaches_as_many_nodes_as_it_can(kept: int) -> None:
    """32 sources, 64 targets: k < 64 edges can reach min(k, 32) sources and k targets."""
    torch.manual_seed(kept)
    mask = keep_alive(torch.randn(64, 32), kept, torch.ones(64, 32, dtype=torch.bool))

    assert int(mask.sum()) == kept
    assert int(mask.any(dim=1).sum()) == kept
    assert int(mask.any(dim=0).sum()) == min(kept, 32)
