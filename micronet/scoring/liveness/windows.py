"""Pooling and resampling: each result looks at a window of positions of its own channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from micronet.scoring import patterns
from micronet.scoring.liveness.rule import Patterns, Rule, call_with, named_arguments, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from micronet.scoring.ir import Operation

WINDOWS = frozenset(
    "max_pool1d max_pool2d max_pool3d max_pool2d_with_indices max_pool3d_with_indices avg_pool1d "
    "avg_pool2d avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d "
    "adaptive_max_pool2d adaptive_max_pool3d adaptive_max_pool1d upsample_nearest1d "
    "upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d "
    "_upsample_nearest_exact3d upsample_linear1d upsample_bilinear2d upsample_bicubic2d "
    "upsample_trilinear3d _upsample_bilinear2d_aa _upsample_bicubic2d_aa".split()
)
_AVERAGES: tuple[Callable[..., Tensor], ...] = (
    functional.avg_pool1d,
    functional.avg_pool2d,
    functional.avg_pool3d,
)
_ADAPTIVE_AVERAGES: tuple[Callable[..., Tensor], ...] = (
    functional.adaptive_avg_pool1d,
    functional.adaptive_avg_pool2d,
    functional.adaptive_avg_pool3d,
)


def _spatial(op: Operation) -> int:
    return next((int(char) for char in op.name if char.isdigit()), 2)


def _mixing(op: Operation) -> Callable[[Tensor], Any] | None:
    """An operator with the same windows that only adds; None where there is none (then: doubt)."""
    given, dims = named_arguments(op), _spatial(op)
    if "bicubic" in op.name:  # negative weights could cancel
        return None
    if op.name.startswith("max_pool"):
        if any(step != 1 for step in given.get("dilation", [1])):
            return None
        return lambda x: _padded_average(x, op, given)
    if op.name.startswith("adaptive_max"):
        size = op.outputs[0].shape[-dims:]
        return lambda x: _ADAPTIVE_AVERAGES[dims - 1](x, size)
    return lambda x: call_with(op, [x])


def _padded_average(x: Tensor, op: Operation, given: Mapping[str, Any]) -> Tensor:
    """Averages over the windows of a max pool; padded first, since average pools refuse small maps."""
    dims = _spatial(op)
    padding = list(given["padding"]) * (dims if len(given["padding"]) == 1 else 1)
    sides = [side for pad in reversed(padding) for side in (pad, pad)]
    stride = given.get("stride") or given["kernel_size"]
    ceil = bool(given.get("ceil_mode"))
    found = _AVERAGES[dims - 1](functional.pad(x, sides), given["kernel_size"], stride, 0, ceil)
    for dim, extent in enumerate(op.outputs[0].shape[-dims:], start=found.ndim - dims):
        found = found.narrow(dim, 0, extent)
    return found


def _operand(op: Operation, pattern: Tensor, shape: Sequence[int]) -> Tensor:
    """The pattern at full extent over positions, compressed over the rest."""
    dims = _spatial(op)
    leading = pattern.shape[: pattern.ndim - dims]
    return pattern.expand(*leading, *shape[len(shape) - dims :]).float().contiguous()


def forward(op: Operation, nonzero: Patterns) -> list[Tensor]:
    """A result can be nonzero if anything in its window can."""
    source = op.inputs[0]
    pattern = nonzero(source)
    positions = range(pattern.ndim - _spatial(op), pattern.ndim)
    mix = _mixing(op)
    if mix is None or all(pattern.shape[dim] == 1 for dim in positions):
        found = spread(pattern, list(positions))
    else:
        found = patterns.compress(mix(_operand(op, pattern, source.shape)) > 0)
    return [found for _ in op.outputs]


def backward(op: Operation, nonzero: Patterns, reached: Sequence[Tensor]) -> list[Tensor]:
    """An element is reached if any window that holds it is."""
    del nonzero
    source, out = op.inputs[0], patterns.union(reached)
    rest = [patterns.nothing(value.shape) for value in op.inputs[1:]]
    mix = _mixing(op)
    if mix is None or patterns.is_nothing(out):
        return [spread(out, range(out.ndim - _spatial(op), out.ndim)), *rest]
    wanted = _operand(op, out, op.outputs[0].shape)
    leading = wanted.shape[: out.ndim - _spatial(op)]
    x = torch.zeros(*leading, *source.shape[out.ndim - _spatial(op) :], requires_grad=True)
    with torch.enable_grad():
        y = mix(x)
    (gradient,) = torch.autograd.grad(y, x, wanted)
    return [patterns.compress(gradient > 0), *rest]


RULE = Rule(forward, backward)
