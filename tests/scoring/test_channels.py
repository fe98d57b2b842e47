"""Costs drop by whole channels: which axes those are, and what permutes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from micronet.scoring.channels import channel_axes, count, reshaped
from micronet.scoring.trace import meta_input, trace
from tests.scoring.bills import bill

if TYPE_CHECKING:
    from collections.abc import Callable


class Function(nn.Module):
    """A forward without parameters."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@pytest.mark.parametrize(
    ("old", "new", "axes", "expected"),
    [
        ((1, 6, 4, 4), (1, 6, 16), {1}, {1}),
        ((1, 6, 4, 4), (1, 2, 3, 4, 4), {1}, {1, 2}),  # the two halves of a channel shuffle
        ((1, 2, 3, 4, 4), (1, 6, 4, 4), {1, 2}, {1}),
        ((1, 6, 4, 4), (1, 96), {1}, {1}),
        ((1, 6, 4, 4), (6, 16), {1}, {0}),
        ((2, 5, 12), (2, 5, 3, 4), {2}, {2, 3}),  # heads
        ((2, 5, 12), (10, 12), {2}, {1}),
        ((10, 12), (2, 5, 12), {1}, {2}),
        ((1, 4, 6), (1, 24), {1}, {1}),
        ((1, 4), (4,), {1}, {0}),
        ((4,), (1, 4, 1), {0}, {1}),
    ],
    ids=str,
)
def test_channel_axes_of_a_reshaped_tensor(
    old: tuple[int, ...], new: tuple[int, ...], axes: set[int], expected: set[int]
) -> None:
    found = reshaped(old, new, frozenset(axes))
    assert {axis for axis in found if new[axis] > 1} == expected


FORWARDS: dict[str, tuple[Callable[[Tensor], Tensor], tuple[int, ...], set[int]]] = {
    "image": (lambda x: x + 1, (1, 4, 2, 2), {1}),
    "matrix": (lambda x: x + 1, (2, 4), {1}),
    "permuted": (lambda x: x.permute(0, 2, 3, 1), (1, 4, 2, 2), {3}),
    "transposed": (lambda x: x.transpose(1, 2), (1, 4, 2, 2), {2}),
    "tokens": (lambda x: x.flatten(2).transpose(1, 2), (1, 4, 2, 2), {2}),
    "pooled": (lambda x: x.mean((2, 3)), (1, 4, 2, 2), {1}),
    "one token": (lambda x: x.flatten(2).transpose(1, 2)[:, 0], (1, 4, 2, 2), {1}),
    "unsqueezed": (lambda x: x.unsqueeze(1), (1, 4, 2, 2), {2}),
    "squeezed": (lambda x: x.squeeze(0), (1, 4, 2, 2), {0}),
    "product": (lambda x: x @ torch.ones(2, 3), (1, 4, 2, 2), {2}),
}  # fmt: skip


@pytest.mark.parametrize(("forward", "shape", "expected"), FORWARDS.values(), ids=FORWARDS)
def test_channel_axes_of_the_result(
    forward: Callable[[Tensor], Tensor], shape: tuple[int, ...], expected: set[int]
) -> None:
    found = trace(Function(forward), [meta_input(shape)])
    (output,) = found.outputs
    if forward is FORWARDS["product"][0]:
        output = found.operations[[op.name for op in found.operations].index("mm")].outputs[0]
        expected = {1}
    assert channel_axes(found)[id(output)] == expected


def test_a_channel_counts_whole_if_any_of_its_positions_does() -> None:
    pattern = torch.zeros(1, 3, 2, 2, dtype=torch.bool)
    pattern[0, 1, 0, 0] = True
    assert count(pattern, (1, 3, 2, 2), frozenset([1])) == 4
    assert count(pattern, (1, 3, 2, 2), frozenset([1, 2])) == 2
    assert count(pattern, (1, 3, 2, 2), frozenset(range(4))) == 1


# --- permutations: a product with a 0/1 matrix (Scoring §2) ---------------------------------------


def shuffled(x: Tensor) -> Tensor:
    return x.view(1, 2, 3, 4, 4).transpose(1, 2).reshape(1, 6, 4, 4)


ORDER = torch.tensor([0, 3, 1, 4, 2, 5])  # what the shuffle of 2 groups does to 6 channels
SHUFFLES: dict[str, Callable[[Tensor], Tensor]] = {
    "view, transpose, reshape": shuffled,
    "channel_shuffle": lambda x: nn.functional.channel_shuffle(x, 2),
    "index": lambda x: x[:, ORDER],
    "index_select": lambda x: x.index_select(1, ORDER),
}


@pytest.mark.parametrize("forward", SHUFFLES.values(), ids=SHUFFLES)
def test_a_channel_permutation_costs_the_same_however_it_is_written(
    forward: Callable[[Tensor], Tensor],
) -> None:
    """6 channels at 16 positions: 96 products with a 1-bit weight; stored: a 6×6 mask and 6 ones."""
    x = torch.randn(1, 6, 4, 4)
    assert torch.equal(forward(x), shuffled(x))
    found = bill(nn.Sequential(Function(forward), nn.Conv2d(6, 1, 1, bias=False)), (1, 6, 4, 4))
    assert found.cost.multiplications == 96 + 6 * 16
    assert found.storage_by == {"values": 16 * 6, "permutation": 6 * 6 + 6}


@pytest.mark.parametrize(
    "forward",
    [lambda x: x.permute(0, 2, 3, 1), lambda x: x.flatten(2).transpose(1, 2), lambda x: x.transpose(2, 3)],
    ids=["channels last", "tokens", "positions"],
)  # fmt: skip
def test_moving_channels_together_permutes_nothing(forward: Callable[[Tensor], Tensor]) -> None:
    found = bill(Function(forward), (1, 6, 4, 4))
    assert found.cost.total == 0
    assert not found.storage_by
