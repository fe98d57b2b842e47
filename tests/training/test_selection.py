"""Selection keeps the edges of a stable sort, whatever the weights, and without sorting them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from micronet.errors import MicronetError
from micronet.training.selection import Candidates, select

if TYPE_CHECKING:
    from torch import Tensor

INFINITY = float("inf")
SMALLEST = 2.0**-149  # the smallest denormal of float32
EDGE_CASES = (
    0.0,
    -0.0,
    SMALLEST,
    -SMALLEST,
    2.0**-126,
    1.0,
    -1.0,
    1 + 2.0**-23,
    INFINITY,
    -INFINITY,
)


def fresh(weights: list[Tensor], legal: list[Tensor | None] | None = None) -> list[Candidates]:
    """Candidates whose ``kept`` is full of an earlier choice, which has to go."""
    masks = legal or [None] * len(weights)
    return [
        Candidates(weight, mask, torch.ones_like(weight, dtype=torch.bool))
        for weight, mask in zip(weights, masks, strict=True)
    ]


def by_sorting(candidates: list[Candidates], count: int) -> list[list[bool]]:
    """The ``count`` first legal entries of all magnitudes in a stable descending sort."""
    sizes = torch.cat([each.weight.abs().flatten() for each in candidates])
    legal = torch.cat(
        [
            torch.ones(each.weight.numel(), dtype=torch.bool)
            if each.legal is None
            else each.legal.flatten()
            for each in candidates
        ]
    )
    order = sizes.sort(descending=True, stable=True).indices
    kept = torch.zeros(len(sizes), dtype=torch.bool)
    kept[order[legal[order]][:count]] = True
    return [part.tolist() for part in kept.split([each.weight.numel() for each in candidates])]


def kept(candidates: list[Candidates]) -> list[list[bool]]:
    return [each.kept.flatten().tolist() for each in candidates]


def smallest_kept(candidates: list[Candidates]) -> float | None:
    found = torch.cat([each.weight[each.kept].abs().flatten() for each in candidates])
    return float(found.min()) if len(found) else None


@dataclass(frozen=True)
class Case:
    weights: list[list[float]]
    legal: list[list[bool] | None]
    count: int

    def candidates(self, dtype: torch.dtype) -> list[Candidates]:
        weights = [torch.tensor(each, dtype=torch.float64).to(dtype) for each in self.weights]
        masks = [None if m is None else torch.tensor(m, dtype=torch.bool) for m in self.legal]
        return fresh(weights, masks)


numbers = st.sampled_from(EDGE_CASES) | st.floats(width=32, allow_nan=False)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """One to three weights of up to 40 entries, many equal ones among them; any possible count."""
    weights, legal = [], []
    for _ in range(draw(st.integers(1, 3))):
        row = draw(st.lists(numbers, max_size=40))
        weights.append(row)
        some = st.lists(st.booleans(), min_size=len(row), max_size=len(row))
        legal.append(draw(st.none() | some))
    available = sum(
        len(row) if mask is None else sum(mask) for row, mask in zip(weights, legal, strict=True)
    )
    return Case(weights, legal, draw(st.integers(0, available)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@settings(max_examples=120, deadline=None)
@given(case=cases())
def test_the_edges_are_those_of_a_stable_sort(dtype: torch.dtype, case: Case) -> None:
    candidates = case.candidates(dtype)
    threshold = select(candidates, case.count)
    assert kept(candidates) == by_sorting(candidates, case.count)
    assert threshold == smallest_kept(candidates)


@pytest.mark.parametrize("legal", [False, True])
@pytest.mark.parametrize("move", [0.0, 1e-7, 1e-3, 1.0, 1e6, 1e-9])
def test_the_edges_are_those_of_a_sort_after_every_move(*, legal: bool, move: float) -> None:
    """200,000 weights in two tensors; an earlier choice and its threshold change nothing."""
    generator = torch.Generator().manual_seed(0)
    weights = [
        torch.randn(150, 1000, generator=generator),
        torch.randn(50_000, generator=generator),
    ]
    masks = [torch.rand(w.shape, generator=generator) < 0.6 if legal else None for w in weights]
    candidates = fresh(weights, masks)
    for step in range(4):
        threshold = select(candidates, 20_000)
        assert kept(candidates) == by_sorting(candidates, 20_000)
        assert threshold == smallest_kept(candidates)
        for weight in weights:
            weight.mul_(1 if step else move or 1).add_(
                move * torch.randn(weight.shape, generator=generator)
            )


def test_among_equal_weights_the_first_ones_win() -> None:
    """The first weight before the second, and in each the lowest flat index."""
    candidates = fresh([torch.ones(2, 2), -torch.ones(3)])
    select(candidates, 5)
    assert kept(candidates) == [[True] * 4, [True, False, False]]


def test_weights_of_one_bin_are_told_apart() -> None:
    """2,000 neighbours in float32: from 1 on, each 2⁻²³ above the one before."""
    weights = 1 + torch.arange(2000) * 2.0**-23
    candidates = fresh([weights])
    assert select(candidates, 3) == 1 + 1997 * 2.0**-23
    assert kept(candidates)[0] == [False] * 1997 + [True] * 3


def test_what_float32_cannot_tell_apart_float64_does() -> None:
    candidates = fresh([torch.tensor([1.0, 1 + 2.0**-40], dtype=torch.float64)])
    assert select(candidates, 1) == 1 + 2.0**-40
    assert kept(candidates) == [[False, True]]


def laid_out(how: str) -> Tensor:
    """Weights [2, 3, 2, 2] with many ties, in another order in memory than by index."""
    weight = torch.tensor([1.0, -2, 1, 2, 1, -1] * 4).view(2, 3, 2, 2)
    match how:
        case "channels last":
            return weight.contiguous(memory_format=torch.channels_last)
        case "transposed":
            return weight.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
        case _:  # every other entry of a larger tensor
            return weight.repeat_interleave(2, dim=3)[..., ::2]


@pytest.mark.parametrize("how", ["channels last", "transposed", "strided"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("count", [1, 5, 9])
def test_the_order_in_memory_does_not_matter(how: str, *, masked: bool, count: int) -> None:
    weight = laid_out(how)
    legal = torch.arange(24).view(2, 3, 2, 2) % 3 > 0
    mask = torch.empty_like(weight, dtype=torch.bool).copy_(legal) if masked else None
    candidates = fresh([weight], [mask])
    assert not weight.is_contiguous()
    assert how == "strided" or not candidates[0].kept.is_contiguous()
    select(candidates, count)
    assert kept(candidates) == by_sorting(candidates, count)


def test_weights_of_different_types_compete() -> None:
    """3 and 2 are float64, 2.5 is bfloat16: the two largest are one of each."""
    weights = [
        torch.tensor([2.0, -3.0], dtype=torch.float64),
        torch.tensor([2.5], dtype=torch.bfloat16),
    ]
    candidates = fresh(weights)
    assert select(candidates, 2) == 2.5
    assert kept(candidates) == [[False, True], [True]]


def test_weights_that_learn_can_be_chosen_from() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    candidates = fresh([weight])
    select(candidates, 1)
    assert kept(candidates) == [[False, True]]


DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])


@DTYPES
@pytest.mark.parametrize("legal", [[True, True, False], [True, False, True], None])
def test_nan_is_refused_and_the_choice_stays_as_it_was(
    dtype: torch.dtype, legal: list[bool] | None
) -> None:
    """Whether the edge is legal or not: a network with such a weight has diverged."""
    mask = None if legal is None else torch.tensor(legal)
    candidates = fresh([torch.tensor([1.0, float("nan"), 3.0], dtype=dtype)], [mask])
    candidates[0].kept[0] = False
    with pytest.raises(MicronetError) as refusal:
        select(candidates, 1)
    assert str(refusal.value) == (
        "Cannot rank edges: some weights are NaN.\nLower the learning rate."
    )
    assert kept(candidates) == [[False, True, True]]


@DTYPES
@pytest.mark.parametrize("count", [-1, 3])
def test_more_edges_than_are_legal_are_refused(dtype: torch.dtype, count: int) -> None:
    candidates = fresh([torch.ones(3, dtype=dtype)], [torch.tensor([True, False, True])])
    with pytest.raises(MicronetError) as refusal:
        select(candidates, count)
    assert str(refusal.value) == f"Cannot keep {count} of 2 edges.\nChange the budget."
    assert kept(candidates) == [[True, True, True]]
