"""DNW's own counter on numbers alone: every known total of its wirings, and its float32 sum."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from micronet.scoring.dnw_formulas import (
    AliveNodes,
    ReleaseCount,
    count_wiring,
    everything_alive,
    promoted_sum,
    stem_and_nodes,
)
from micronet.scoring.dnw_release import alive_nodes
from micronet.scoring.printed import printed
from micronet.wiring import legal_edges, mobilenet_blocks, released_selection

# The released wirings: prune rate, sparse classifier, multiply-accumulates with every node alive,
# the same in millions, parameters if each graph's kept entries are counted whole.
RELEASED: dict[str, tuple[float, bool, int, str, int]] = {
    "dnw_small_x15": (0.85, True, 40_566_351, "40.6M", 269_747),
    "dnw_small_x225": (0.775, True, 55_816_375, "55.8M", 434_847),
    "dnw_x225": (0.775, False, 56_609_976, "56.6M", 1_228_448),
    "rg_x225": (0.775, False, 56_609_976, "56.6M", 1_228_448),
    "dnw_x3": (0.7, False, 77_852_486, "77.9M", 1_352_069),
    "dnw_x49": (0.51, False, 158_830_288, "158.8M", 1_823_320),
    "rg_x49": (0.49, False, 169_620_132, "169.6M", 1_886_112),
}


def all_alive(width: int, prune_rate: float, *, sparse: bool) -> ReleaseCount:
    graphs = [everything_alive(shape) for shape in mobilenet_blocks(width)]
    return count_wiring(graphs, prune_rate, 1000, sparse_classifier=sparse)


@pytest.mark.parametrize("name", RELEASED)
def test_all_alive_totals_of_the_released_wirings(name: str) -> None:
    prune_rate, sparse, macs, stated, whole = RELEASED[name]
    count = all_alive(1, prune_rate, sparse=sparse)

    assert count.macs == macs
    assert printed(stated).rounded_from(macs)
    # Each of 5 graphs cuts off a fraction of an edge that the forward pass keeps whole.
    assert count.parameters == whole - 5


def test_all_alive_parts_by_hand() -> None:
    count = all_alive(1, 0.775, sparse=False)

    # d² = .050625 of 2048, 24,576, 98,304, 1,441,792 and 1,572,864 edges, cut off, and 9 a node.
    assert [(row.name, row.parameters, row.alive, row.of) for row in count.layers] == [
        ("conv1", 27 * 32, 32, 32),
        ("layers.0", 103 + 9 * 32, 32, 32),
        ("layers.1", 1_244 + 9 * (64 + 128), 192, 192),
        ("layers.2", 4_976 + 9 * (128 + 256), 384, 384),
        ("layers.3", 72_990 + 9 * (256 + 5 * 512), 2816, 2816),
        ("layers.4", 79_626 + 9 * (512 + 1024), 1536, 1536),
        ("pool", 0, 1024, 1024),
        ("linear", 1_024_000, 1024, 1024),
    ]
    assert [row.macs for row in count.layers if row.budget is None] == [
        27 * 32 * 112 * 112,
        49 * 1024,
        1_024_000,
    ]
    # 1,300,561.92 + 3,612,672 at 112²: float32 has steps of 1/2 there, so .92 becomes 1.
    assert count.row("layers.0").macs == 4_913_234
    # 14,306,181.12 + 4,967,424 at 14²: steps of 2 above 2²⁴, and 19,273,605 is a tie, to even.
    assert count.row("layers.3").macs == 19_273_604


def test_a_sparse_classifier_loses_an_edge_to_floating_point() -> None:
    # 1,024,000 · (1 - 0.775) is 230,399.99999999997, although 230,400 edges are there.
    assert all_alive(1, 0.775, sparse=True).row("linear").parameters == 230_399


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_the_wiring_of_twice_the_width(*, sparse: bool) -> None:
    count = all_alive(2, 0.5, sparse=sparse)

    edges, nodes, stem = 539_492_352, 34_771_968, 21_676_032
    classifier = 1_024_000 if sparse else 2_048_000
    assert stem_and_nodes(count) == (stem + nodes, 1_728 + 89_280)
    assert count.parameters == 3_139_584 + 89_280 + 1_728 + classifier
    assert count.parameters == (4_254_592 if sparse else 5_278_592)
    assert count.macs == edges + nodes + stem + classifier + 49 * 2048
    assert count.macs == (597_064_704 if sparse else 598_088_704)
    assert count.macs - count.row("pool").macs == (596_964_352 if sparse else 597_988_352)


def test_a_fresh_wiring_with_two_dead_stem_channels_prints_the_known_totals() -> None:
    """A fresh ×0.225 prints 1,228,371 and 55,706,808; no other set of dead nodes gives that."""
    alive = all_alive(1, 0.775, sparse=False)
    first, *rest = [everything_alive(shape) for shape in mobilenet_blocks(1)]
    two_dead = AliveNodes(first.shape, 30, 30, 64)
    count = count_wiring([two_dead, *rest], 0.775, 1000, sparse_classifier=False)

    assert (count.parameters, count.macs) == (1_228_371, 55_706_808)
    # 72 parameters are two stem channels of 27 + 9, or one and 4 nodes of 9, or 8 nodes.
    assert alive.parameters - count.parameters == 2 * (27 + 9)
    assert alive.macs - count.macs == 2 * (27 + 9) * 112 * 112
    # Nodes behind the first graph work at 56² or less, which is too little.
    assert alive.macs - count.macs > 36 * 112 * 112 + 4 * 9 * 56 * 56 > 8 * 9 * 56 * 56


def test_a_really_fresh_wiring_ranks_illegal_edges_and_prints_the_known_totals() -> None:
    torch.manual_seed(6)
    graphs, illegal = [], 0
    for shape in mobilenet_blocks(1):
        weight = nn.Conv2d(shape.sources, shape.targets, 1, bias=False).weight.flatten(1)
        kept = weight * released_selection(weight, shape.released_prune_rate(0.775))
        graphs.append(alive_nodes(shape, kept))
        illegal += int(((kept != 0) & ~legal_edges(shape)).sum())
    count = count_wiring(graphs, 0.775, 1000, sparse_classifier=False)

    assert (count.parameters, count.macs) == (1_228_371, 55_706_808)
    assert illegal > 50_000  # of 158,944 kept entries


@pytest.mark.parametrize(
    ("whole", "real"),
    [(4_967_424, 72990.71999999988 * 196), (270, 103.68), (0, 0.99), (2**24, 1.0), (2**24, 3.0)],
    ids=["tie", "cut off", "only a fraction", "odd lost", "odd up"],
)
def test_the_sum_is_the_one_that_torch_gives(whole: int, real: float) -> None:
    assert promoted_sum(whole, real) == int(torch.tensor(whole) + real)
