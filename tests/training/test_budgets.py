"""Budgets are whole numbers, and they add up."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, prod

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from micronet.errors import MicronetError
from micronet.training.budgets import Size, erk_budgets, layer_budgets, total_budget


def full(*shape: int) -> Size:
    return Size(shape, prod(shape))


def test_each_layer_keeps_its_share_rounded_up() -> None:
    """A tenth of 9,408, of 4,096 and of 10: 940.8, 409.6 and 1."""
    assert layer_budgets([full(64, 3, 7, 7), full(64, 64, 1, 1), full(10)], 0.1) == (941, 410, 1)


def test_a_total_is_rounded_up_once() -> None:
    """A tenth of 9,408 + 4,096 + 10 = 13,514; layer by layer it would be 1,352 too, or more."""
    assert total_budget([full(64, 3, 7, 7), full(64, 64, 1, 1), full(10)], 0.1) == 1352
    assert total_budget([full(11)] * 10, 0.1) == 11
    assert sum(layer_budgets([full(11)] * 10, 0.1)) == 20


def test_erk_shares_out_by_the_sum_of_dimensions() -> None:
    """4 × 4 and 4 × 4 × 2 × 2: density in proportion to 8/16 and 12/64, so entries to 8 and 12."""
    assert erk_budgets([full(4, 4), full(4, 4, 2, 2)], 20) == (8, 12)
    # 21: 8.4 and 12.6, of which the one over goes to .6
    assert erk_budgets([full(4, 4), full(4, 4, 2, 2)], 21) == (8, 13)


def test_among_equal_remainders_the_first_layer_gets_the_entry() -> None:
    assert erk_budgets([full(4, 4), full(4, 4)], 9) == (5, 4)


def test_a_layer_that_would_exceed_all_its_entries_is_dense() -> None:
    """Dimensions add up to 4 and 20: of 60 entries the first would get 10, but it has only 4."""
    assert erk_budgets([full(2, 2), full(10, 10)], 60) == (4, 56)


def test_what_one_dense_layer_leaves_can_fill_the_next() -> None:
    """Dimensions 4, 12, 40 (entries 4, 36, 400) share 168: by 3 they would get 12, 36 and 120.

    The first is full with 4. The others share 164 by 164/52 > 3, so that the second is full too.
    """
    assert erk_budgets([full(2, 2), full(6, 6), full(20, 20)], 168) == (4, 36, 128)


def test_entries_that_may_not_be_kept_get_no_share() -> None:
    """Two matrices 4 × 4, of which the second may have 8 edges: shares 8 and 4."""
    assert erk_budgets([full(4, 4), Size((4, 4), 8)], 6) == (4, 2)


@pytest.mark.parametrize("total", [0, 80])
def test_nothing_and_everything_can_be_shared_out(total: int) -> None:
    sizes = [full(4, 4), full(4, 4, 2, 2)]
    assert erk_budgets(sizes, total) == ((0, 0) if total == 0 else (16, 64))


def test_a_weight_without_entries_gets_none() -> None:
    assert erk_budgets([full(0, 4), full(2, 2)], 3) == (0, 3)


def test_more_than_everything_is_refused() -> None:
    with pytest.raises(MicronetError, match=r"Cannot keep 17 of 16 edges\.\nChange the budget\."):
        erk_budgets([full(4, 4)], 17)


def densities_of_rigl(sizes: list[Size], total: int) -> list[Fraction]:
    """The procedure of the paper's code: the densest layer becomes dense, then all over again."""
    raw = [Fraction(sum(size.shape), prod(size.shape)) for size in sizes]
    dense: set[int] = set()
    while len(dense) < len(sizes):
        sparse = [i for i in range(len(sizes)) if i not in dense]
        left = total - sum(sizes[i].entries for i in dense)
        epsilon = Fraction(left) / sum(raw[i] * sizes[i].entries for i in sparse)
        highest = max(raw[i] for i in sparse)
        if epsilon * highest <= 1:
            return [Fraction(1) if i in dense else epsilon * raw[i] for i in range(len(sizes))]
        dense |= {i for i in sparse if raw[i] == highest}
    return [Fraction(1)] * len(sizes)


shapes = st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple)


@st.composite
def layers(draw: st.DrawFn) -> tuple[list[Size], int]:
    drawn = draw(st.lists(shapes, min_size=1, max_size=6))
    sizes = [Size(shape, draw(st.integers(1, prod(shape)))) for shape in drawn]
    return sizes, draw(st.integers(0, sum(size.entries for size in sizes)))


@settings(max_examples=150, deadline=None)
@given(layers())
def test_erk_is_the_papers_rounded_to_add_up(case: tuple[list[Size], int]) -> None:
    sizes, total = case
    budgets = erk_budgets(sizes, total)
    exact = [
        density * size.entries
        for density, size in zip(densities_of_rigl(sizes, total), sizes, strict=True)
    ]
    assert sum(budgets) == total
    for budget, share, size in zip(budgets, exact, sizes, strict=True):
        assert share // 1 <= budget <= min(ceil(share), size.entries)


@pytest.mark.parametrize(
    ("sparsity", "megabytes"),
    [("0.9", "13.499"), ("0.95", "8.399")],
)
def test_a_resnet50_by_erk_is_as_large_as_published(sparsity: str, megabytes: str) -> None:
    """Model sizes in RigL's README: 4 bytes a value and a bit for each entry of sparse layers.

    53 convolutions and the classifier are sparse; 26,560 shifts of folded norms and 1,000 biases
    are not.
    """
    with torch.device("meta"):
        model = torchvision.models.resnet50()
    kinds = (nn.Conv2d, nn.Linear)
    weights = [m.weight for m in model.modules() if isinstance(m, kinds)]
    sizes = [full(*weight.shape) for weight in weights]
    assert len(sizes) == 54

    budgets = erk_budgets(sizes, total_budget(sizes, float(1 - Fraction(sparsity))))

    masks = sum(
        size.entries for size, kept in zip(sizes, budgets, strict=True) if kept < size.entries
    )
    stored = 4 * (sum(budgets) + 26_560 + 1000) + Fraction(masks, 8)
    assert f"{float(stored / 10**6):.3f}" == megabytes
