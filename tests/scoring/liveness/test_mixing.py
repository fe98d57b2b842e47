"""Operators that mix along dimensions: exact by channel, and never calling dead what is alive."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from micronet.scoring.liveness.mixing import is_affine, scale_and_shift
from micronet.scoring.trace import meta_input, trace
from tests.scoring.liveness.empirical import Function, agree, never_drops

REDUCTIONS: dict[str, Function] = {
    "mean over positions": lambda x: x.mean((2, 3)),
    "mean, kept": lambda x: x.mean((2, 3), keepdim=True),
    "sum over channels": lambda x: x.sum(1),
    "sum of all": lambda x: x.sum().view(1),
    "largest": lambda x: x.amax((2, 3)),
    "smallest over a negative dimension": lambda x: x.amin(-1),
    "norm": lambda x: torch.linalg.vector_norm(x, dim=1),
    "variance": lambda x: x.var((2, 3)),
}  # fmt: skip


@pytest.mark.parametrize("function", REDUCTIONS.values(), ids=REDUCTIONS)
def test_reductions_never_drop_what_is_alive(function: Function) -> None:
    with torch.no_grad():
        shape = function(torch.ones(1, 3, 2, 2)).shape
    assert shape
    never_drops(function, (1, 3, 2, 2), channels=(1,))


@pytest.mark.parametrize(
    "name", ["mean over positions", "mean, kept", "sum over channels", "sum of all"]
)
def test_linear_reductions_are_exact(name: str) -> None:
    agree(REDUCTIONS[name], (1, 3, 2, 2), channels=(1,))


POOLS: dict[str, Function] = {
    "average": lambda x: F.avg_pool2d(x, 2),
    "average with padding": lambda x: F.avg_pool2d(x, 3, stride=1, padding=1),
    "adaptive average": lambda x: F.adaptive_avg_pool2d(x, (2, 1)),
    "nearest": lambda x: F.interpolate(x, scale_factor=2),
    "bilinear": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
}  # fmt: skip


@pytest.mark.parametrize("function", POOLS.values(), ids=POOLS)
def test_pooling_and_resampling_keep_channels_apart(function: Function) -> None:
    agree(function, (1, 3, 4, 4), channels=(1,), result_channels=(1,))


@pytest.mark.parametrize(
    "function", [*POOLS.values(), lambda x: F.max_pool2d(x, 2)], ids=[*POOLS, "largest"]
)
def test_pooling_may_doubt_positions_but_never_drops_one(function: Function) -> None:
    never_drops(function, (1, 2, 4, 4))


# --- norms ----------------------------------------------------------------------------------------


def batch_norm(eps: float = 1e-5, **state: list[float]) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(4, eps=eps).eval()
    with torch.no_grad():
        for name, values in state.items():
            getattr(layer, name).copy_(torch.tensor(values))
    return layer


NORMS = {
    "neutral": batch_norm(),
    "a scale is zero": batch_norm(weight=[1, 0, 2, 0]),
    "some shifts": batch_norm(bias=[0, 1, 0, 1]),
    "some means": batch_norm(running_mean=[0, 1, 0, 1]),
    "scale zero, shift not": batch_norm(weight=[1, 0, 1, 0], bias=[0, 1, 1, 0]),
    "scale zero, mean not": batch_norm(weight=[0, 0, 1, 1], running_mean=[1, 0, 1, 0]),
    "shift cancels the mean": batch_norm(eps=0, bias=[1, 0, 0, 0], running_mean=[1, 0, 0, 0]),
}


@pytest.mark.parametrize("layer", NORMS.values(), ids=NORMS)
def test_a_batch_norm_is_a_scale_and_a_shift(layer: nn.BatchNorm2d) -> None:
    agree(layer, (1, 4, 2, 2))


def test_scale_and_shift_are_those_that_the_layer_applies() -> None:
    layer = batch_norm(
        weight=[1, 2, 3, 4], bias=[1, 0, 2, 0], running_mean=[0, 1, 2, 3], running_var=[1, 4, 9, 16]
    ).double()
    operation = trace(layer, [meta_input((1, 4, 2, 2), "float64")]).operations[0]
    found = scale_and_shift(operation)
    assert found is not None
    x = torch.randn(1, 4, 2, 2, dtype=torch.float64)
    scale, shift = (part.view(1, 4, 1, 1) for part in found)
    torch.testing.assert_close(x * scale + shift, layer(x))


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.BatchNorm2d(4), True),
        (nn.BatchNorm2d(4, affine=False), True),
        (nn.BatchNorm2d(4, track_running_stats=False), False),
        (nn.InstanceNorm2d(4), False),
        (nn.InstanceNorm2d(4, track_running_stats=True), True),
    ],
    ids=[
        "batch norm",
        "without scale",
        "without statistics",
        "instance norm",
        "stored instance norm",
    ],
)
def test_which_norms_are_a_scale_and_a_shift(layer: nn.Module, expected: bool) -> None:
    operations = trace(layer, [meta_input((1, 4, 2, 2))]).operations
    (norm,) = [op for op in operations if "norm" in op.name]
    assert is_affine(norm) == expected


def weighted(layer: Any, weight: list[float], bias: list[float]) -> Any:
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
        layer.bias.copy_(torch.tensor(bias))
    return layer


STATISTICS: dict[str, Function] = {
    "layer norm": lambda x: F.layer_norm(x, (2,)),
    "layer norm, some scales zero": lambda x: F.layer_norm(
        x, (2,), torch.tensor([1.0, 0.0]), torch.tensor([0.0, 0.0])
    ),
    "group norm": weighted(nn.GroupNorm(2, 4), [1, 0, 1, 1], [0, 0, 1, 0]),
    "instance norm": F.instance_norm,
    "softmax": lambda x: x.softmax(1),
    "log softmax": lambda x: x.log_softmax(1),
    "running sum": lambda x: x.cumsum(1),
}  # fmt: skip


@pytest.mark.parametrize("function", STATISTICS.values(), ids=STATISTICS)
def test_statistics_of_the_input_never_drop_what_is_alive(function: Function) -> None:
    never_drops(function, (1, 4, 3, 2))
    never_drops(function, (1, 4, 3, 2), channels=(1,), result_channels=(1,))


def group_of(x: Tensor) -> Tensor:
    return F.group_norm(x, 2)


def test_groups_of_a_group_norm_do_not_mix() -> None:
    """Channels 0 and 1 are one group: feeding channel 0 lifts both, and neither of the others."""
    from tests.scoring.liveness.empirical import predicted

    fed = torch.zeros(1, 4, 2, 2, dtype=torch.bool)
    fed[:, 0] = True
    seen = torch.zeros(1, 4, 2, 2, dtype=torch.bool)
    seen[:, 3] = True
    found = predicted(group_of, fed, seen)
    assert found.nonzero == [True] * 8 + [False] * 8
    assert found.reached == [False] * 8 + [True] * 8
