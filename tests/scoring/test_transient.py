"""The peak of the activations alive at once, added up by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from micronet.scoring.network import Network
from micronet.scoring.trace import meta_input, trace
from micronet.scoring.transient import Transient, peak

if TYPE_CHECKING:
    from collections.abc import Callable


class Function(nn.Module):
    """A forward without parameters."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def found(model: nn.Module, *shape: int, fold: bool = True, dtype: str = "float32") -> Transient:
    network = Network(trace(model, [meta_input(shape, dtype)]))
    return peak(network.trace, network.folds if fold else {})


CHAIN = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 1))
IN_PLACE = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 1))
NORMED = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
APART = nn.Sequential(nn.ReLU(), nn.BatchNorm2d(4))


def test_a_chain_holds_the_input_and_the_output_of_one_operator() -> None:
    """2×2 positions: 3 + 4, then 4 + 4, then 4 + 8 channels."""
    assert found(CHAIN, 1, 3, 2, 2) == Transient(12 * 4, 12 * 4 * 32, "2")


def test_an_operator_in_place_needs_no_second_buffer() -> None:
    """3 + 4, 4, 4 + 2 channels; out of place the middle would be 4 + 4."""
    assert found(IN_PLACE, 1, 3, 2, 2) == Transient(7 * 4, 7 * 4 * 32, "0")


@pytest.mark.parametrize(
    ("model", "fold", "channels", "at"),
    [
        (NORMED, True, 3 + 4, "0"),  # the norm writes where the convolution wrote
        (NORMED, False, 4 + 4, "1"),
        (APART, True, 4 + 4, "0"),  # nothing to fold into
    ],
    ids=["folded", "not folded", "no convolution before it"],
)
def test_a_norm(model: nn.Module, fold: bool, channels: int, at: str) -> None:
    assert found(model, 1, 3 if model is NORMED else 4, 2, 2, fold=fold) == Transient(
        channels * 4, channels * 4 * 32, at
    )


def zero_a_slice(x: Tensor) -> Tensor:
    x = x * 2
    x[:, :2] *= 0
    return x


def fill_a_buffer(x: Tensor) -> Tensor:
    y = torch.zeros(1, 4, 2, 2, device=x.device)
    y[:, 1] = x[:, 1]
    return y * 1


def two_views(x: Tensor) -> Tensor:
    y = x * 2
    left, right = y.chunk(2, 1)
    left.mul_(2)
    right.mul_(2)
    return y


# 4 channels of 2×2 each: 16 elements a tensor.
FORWARDS: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {
    "residual": (lambda x: (x * 2).tanh() + x, 16 + 16 + 16),  # x waits; product, its tanh
    "branch that waits": (lambda x: x + x.mean((2, 3), keepdim=True).tanh(), 16 + 4 + 16),
    "concatenation": (lambda x: torch.cat([x, x * 2], 1), 16 + 16 + 32),
    "a view is no buffer": (lambda x: (x * 2).view(1, 2, 2, 4).transpose(1, 2), 16 + 16),
    "a copy is one": (lambda x: (x * 2).transpose(1, 2).contiguous(), 16 + 16),
    "reshape of a transposed view": (lambda x: x.transpose(1, 2).reshape(1, 16), 16 + 16),
    "a slice keeps the whole": (lambda x: (x * 2)[:, :1] + 1, 16 + 16),
    "expansion is a view": (lambda x: x.mean((2, 3), keepdim=True).expand(1, 4, 2, 2) * 1, 16 + 4),
    "written through a slice": (zero_a_slice, 16 + 16),
    "buffer filled slice by slice": (fill_a_buffer, 16 + 16),
    "written through two views": (two_views, 16 + 16),
    "nothing but the input": (lambda x: x.view(16), 16),
    "pool with unread indices": (lambda x: nn.functional.max_pool2d(x, 2), 16 + 4),
    "two outputs both wait": (lambda x: torch.stack([x, x * 2]).sum(0), 16 + 16 + 32),
}


@pytest.mark.parametrize(("forward", "elements"), FORWARDS.values(), ids=FORWARDS)
def test_elements_alive_at_the_peak(forward: Callable[[Tensor], Tensor], elements: int) -> None:
    assert found(Function(forward), 1, 4, 2, 2).elements == elements


def test_narrow_and_wide_types_count_in_32_bit_elements() -> None:
    """8 + 8 float16 values are 8 elements; 3 int64 tokens are 6, beside 3 · 4 floats."""
    assert found(nn.ReLU(), 1, 8, dtype="float16") == Transient(8, 16 * 16, "relu")
    assert found(nn.Embedding(10, 4), 1, 3, dtype="int64").elements == 6 + 12
