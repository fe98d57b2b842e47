"""A batch norm folds where, and only where, its scale can go into the weight before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from micronet.scoring.folding import bias_of, folds, weight_of
from micronet.scoring.trace import meta_input, trace

if TYPE_CHECKING:
    from collections.abc import Callable


class Model(nn.Module):
    """Modules by name, and a forward."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor], **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self.run = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def parts() -> dict[str, nn.Module]:
    return {
        "conv": nn.Conv2d(4, 4, 1, bias=False),
        "other": nn.Conv2d(4, 4, 1),
        "norm": nn.BatchNorm2d(4),
        "second": nn.BatchNorm2d(4),
    }


CASES: dict[str, tuple[Callable[[Any, Tensor], Tensor], int]] = {
    "directly after": (lambda m, x: m.norm(m.conv(x)), 1),
    "after a bias": (lambda m, x: m.norm(m.other(x)), 1),
    "two in a row": (lambda m, x: m.second(m.norm(m.conv(x))), 1),
    "two pairs": (lambda m, x: m.second(m.other(m.norm(m.conv(x)))), 2),
    "after an activation": (lambda m, x: m.norm(m.conv(x).relu()), 0),
    "before": (lambda m, x: m.conv(m.norm(x)), 0),
    "somebody else reads the convolution": (lambda m, x: (y := m.conv(x)) * 2 + m.norm(y), 0),
    "the convolution is an output": (lambda m, x: (y := m.conv(x), m.norm(y)), 0),  # type: ignore[dict-item,return-value]
    "two norms read it": (lambda m, x: (y := m.conv(x), m.norm(y) + m.second(y))[1], 0),
    "weight called twice, same norm": (lambda m, x: m.norm(m.conv(m.norm(m.conv(x)))), 2),
    "weight called twice, two norms": (lambda m, x: m.second(m.conv(m.norm(m.conv(x)))), 0),
    "weight called twice, once without": (lambda m, x: m.conv(m.norm(m.conv(x))), 0),
    "through a view": (lambda m, x: m.norm(m.conv(x).view(1, 4, 4, 1)), 0),
}  # fmt: skip


@pytest.mark.parametrize(("forward", "expected"), CASES.values(), ids=CASES)
def test_how_many_norms_fold(forward: Callable[[Any, Tensor], Tensor], expected: int) -> None:
    found = folds(trace(Model(forward, **parts()), [meta_input((1, 4, 2, 2))]))
    assert len(found) == expected


@pytest.mark.parametrize(
    ("model", "shape", "expected"),
    [
        (nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), (2, 4), 1),
        (nn.Sequential(nn.Linear(4, 3, bias=False), nn.BatchNorm1d(3)), (2, 4), 1),
        (nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(5)), (2, 5, 4), 0),  # norm over tokens
        (nn.Sequential(nn.ConvTranspose2d(4, 3, 2), nn.BatchNorm2d(3)), (1, 4, 2, 2), 1),
        (nn.Sequential(nn.Conv1d(4, 3, 1), nn.BatchNorm1d(3)), (1, 4, 5), 1),
        (nn.Sequential(nn.Conv3d(4, 3, 1), nn.BatchNorm3d(3)), (1, 4, 2, 2, 2), 1),
        (nn.Sequential(nn.Conv2d(4, 4, 1, groups=4), nn.BatchNorm2d(4)), (1, 4, 2, 2), 1),
        (nn.Sequential(nn.Conv2d(4, 3, 1), nn.GroupNorm(3, 3)), (1, 4, 2, 2), 0),
        (nn.Sequential(nn.Conv2d(4, 3, 1), nn.InstanceNorm2d(3)), (1, 4, 2, 2), 0),
        (
            nn.Sequential(nn.Conv2d(4, 3, 1), nn.BatchNorm2d(3, track_running_stats=False)),
            (1, 4, 2, 2),
            0,
        ),
    ],
    ids=[
        "linear", "linear without bias", "over tokens", "transposed", "1d", "3d", "depthwise",
        "group norm", "instance norm", "statistics of the input",
    ],
)  # fmt: skip
def test_after_which_layers_a_norm_folds(
    model: nn.Module, shape: tuple[int, ...], expected: int
) -> None:
    assert len(folds(trace(model, [meta_input(shape)]))) == expected


def test_a_constant_on_the_left_has_its_channels_in_rows_that_the_norm_does_not_scale() -> None:
    """w @ x is [output, position]: a norm over dimension 1 scales positions, so nothing folds."""

    class Left(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.randn(3, 4))
            self.norm = nn.BatchNorm1d(5)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(self.w @ x)  # type: ignore[no-any-return]

    assert folds(trace(Left(), [meta_input((4, 5))])) == {}


class Doubled(nn.Module):
    """Some parametrisation."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight * 2


def test_a_parametrised_weight_under_two_norms_folds_into_neither() -> None:
    """It is computed anew at each call, but it is one weight and stored once."""
    modules = parts()
    parametrize.register_parametrization(modules["conv"], "weight", Doubled())
    model = Model(lambda m, x: m.second(m.conv(m.norm(m.conv(x)))), **modules)
    assert folds(trace(model, [meta_input((1, 4, 2, 2))])) == {}


def test_the_weight_and_bias_of_linear_operators() -> None:
    operations = trace(
        Model(
            lambda m, x: F.linear(m.conv(x).flatten(1), m.l.weight, m.l.bias) @ torch.ones(2, 2),
            conv=nn.Conv2d(4, 3, 1),
            l=nn.Linear(12, 2),
        ),
        [meta_input((1, 4, 2, 2))],
    ).operations
    linear = [op for op in operations if op.name in ("convolution", "addmm", "mm")]
    assert [weight_of(op).shape for op in linear] == [(3, 4, 1, 1), (12, 2), (2, 2)]  # type: ignore[union-attr]
    biases = [bias_of(op) for op in linear]
    assert [None if bias is None else bias.shape for bias in biases] == [(3,), (2,), None]


def test_a_product_of_two_activations_has_no_weight() -> None:
    operations = trace(Model(lambda _, x: x @ x), [meta_input((1, 4, 2, 2))]).operations
    assert [weight_of(op) for op in operations if op.name == "bmm"] == [None]
