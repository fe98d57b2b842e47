"""Which kind of layer each operator is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from micronet.scoring.kinds import kind_of
from micronet.scoring.rulebook import KINDS
from micronet.scoring.trace import meta_input, trace

if TYPE_CHECKING:
    from collections.abc import Callable


class Function(nn.Module):
    """A forward without parameters."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


CASES: dict[str, tuple[nn.Module | Callable[[Tensor], Tensor], list[str]]] = {
    "convolution": (nn.Conv2d(4, 2, 1), ["convolution"]),
    "transposed convolution": (nn.ConvTranspose2d(4, 2, 1), ["convolution"]),
    "linear": (nn.Linear(4, 2), ["linear"]),
    "two activations": (lambda x: x @ x, ["product"]),
    "batch norm": (nn.BatchNorm2d(4), ["batch_norm"]),
    "norm with statistics of the input": (nn.BatchNorm2d(4, track_running_stats=False), ["instance_norm"]),
    "instance norm": (nn.InstanceNorm2d(4), ["instance_norm"]),
    "layer norm": (nn.LayerNorm(4), ["layer_norm"]),
    "group norm": (nn.GroupNorm(2, 4), ["group_norm"]),
    "softmax": (nn.Softmax(1), ["softmax"]),
    "max pool": (nn.MaxPool2d(2), ["max_pool"]),
    "adaptive max pool": (nn.AdaptiveMaxPool2d(2), ["max_pool"]),
    "average pool": (nn.AvgPool2d(2), ["average_pool"]),
    "adaptive average pool": (nn.AdaptiveAvgPool2d(2), ["adaptive_average_pool"]),
    "the same to one position": (nn.AdaptiveAvgPool2d(1), ["adaptive_average_pool"]),
    "mean that drops its dimensions": (lambda x: x.mean((2, 3)), ["reduction"]),
    "mean over channels": (lambda x: x.mean(1, keepdim=True), ["reduction"]),
    "relu": (nn.ReLU(inplace=True), ["activation"]),
    "gelu": (nn.GELU(), ["activation"]),
    "sum of two": (lambda x: x + x, ["elementwise"]),
    "exponential": (torch.exp, ["elementwise"]),
    "nearest": (nn.UpsamplingNearest2d(scale_factor=2), ["upsample_nearest"]),
    "bilinear": (nn.UpsamplingBilinear2d(scale_factor=2), ["upsample_linear"]),
    "moving data": (lambda x: x.transpose(1, 2).reshape(4, 16)[1:], []),
}  # fmt: skip


@pytest.mark.parametrize(("model", "expected"), CASES.values(), ids=CASES)
def test_kinds(model: nn.Module | Callable[[Tensor], Tensor], expected: list[str]) -> None:
    model = model if isinstance(model, nn.Module) else Function(model)
    operations = trace(model, [meta_input((1, 4, 4, 4))]).operations
    assert [kind for kind in map(kind_of, operations) if kind] == expected


def test_every_kind_that_books_price_but_one_is_met_above() -> None:
    assert {kind for _, kinds in CASES.values() for kind in kinds} == set(KINDS) - {"other"}
