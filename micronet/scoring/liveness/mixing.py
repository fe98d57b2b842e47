"""Operators that mix along dimensions: reductions, normalisations, softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from micronet.scoring import patterns
from micronet.scoring.ir import Operation, Value
from micronet.scoring.liveness.rule import (
    Patterns,
    Rule,
    dims_of,
    doubt_forward,
    named_arguments,
    spread,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

# Zero in, zero out; the rest of this family (argmax, logsumexp, …) is not known to keep zeros.
_ZERO_KEEPING = frozenset(
    "mean sum amax amin var std linalg_vector_norm norm prod nansum any".split()
)
REDUCTIONS = _ZERO_KEEPING | frozenset("argmax argmin logsumexp all max min".split())


def reduced_dims(op: Operation) -> tuple[int, ...]:
    """The dimensions that a reduction goes over."""
    return dims_of(named_arguments(op).get("dim"), len(op.inputs[0].shape))


def _reduce_forward(op: Operation, nonzero: Patterns) -> list[Tensor]:
    if op.name not in _ZERO_KEEPING:
        return doubt_forward(op, nonzero)
    pattern = spread(nonzero(op.inputs[0]), reduced_dims(op))
    return [_drop(pattern, reduced_dims(op), len(op.outputs[0].shape)) for _ in op.outputs]


def _drop(pattern: Tensor, dims: Sequence[int], ndim: int) -> Tensor:
    if pattern.ndim == ndim:
        return pattern
    for dim in sorted(dims, reverse=True):
        pattern = pattern.squeeze(dim)
    return pattern


def _reduce_backward(op: Operation, nonzero: Patterns, reached: Sequence[Tensor]) -> list[Tensor]:
    del nonzero
    pattern = patterns.union(reached)
    source = op.inputs[0]
    if pattern.ndim != len(source.shape):
        for dim in sorted(reduced_dims(op)):
            pattern = pattern.unsqueeze(dim)
    return [pattern, *(patterns.everything(value.shape) for value in op.inputs[1:])]


REDUCTION = Rule(_reduce_forward, _reduce_backward)


def _softmax_backward(op: Operation, nonzero: Patterns, reached: Sequence[Tensor]) -> list[Tensor]:
    del nonzero
    return [spread(reached[0], dims_of(op.args[1], reached[0].ndim))]


SOFTMAX = Rule(doubt_forward, _softmax_backward)


# --- normalisations -------------------------------------------------------------------------------


BATCH_NORMS = frozenset(("native_batch_norm", "_native_batch_norm_legit_no_training"))


def is_affine(op: Operation) -> bool:
    """Whether a batch norm uses its stored statistics: then it is one scale and one shift a channel."""
    uses_batch = op.name == "native_batch_norm" and bool(op.args[5])
    return op.name in BATCH_NORMS and not uses_batch


def scale_and_shift(op: Operation) -> tuple[Tensor, Tensor] | None:
    """What an affine batch norm does to each channel, in float64; None where values are unknown."""
    given = named_arguments(op)
    mean, variance = given["running_mean"], given["running_var"]
    weight, bias = given.get("weight"), given.get("bias")
    if any(value is not None and value.tensor is None for value in (mean, variance, weight, bias)):
        return None
    scale = (variance.tensor.double() + given["eps"]).rsqrt()
    if weight is not None:
        scale = scale * weight.tensor.double()
    shift = -mean.tensor.double() * scale
    return scale, shift if bias is None else shift + bias.tensor.double()


def _per_channel(vector: Tensor, ndim: int) -> Tensor:
    return patterns.compress(vector).reshape(1, -1, *[1] * (ndim - 2))


def _affine_parts(op: Operation) -> tuple[Tensor, Tensor]:
    """Patterns of scale and shift, over channels."""
    shape = op.inputs[0].shape
    known = scale_and_shift(op)
    if known is None:
        return patterns.everything(shape), patterns.everything(shape)
    return _per_channel(known[0] != 0, len(shape)), _per_channel(known[1] != 0, len(shape))


def _affine_forward(op: Operation, nonzero: Patterns) -> list[Tensor]:
    scale, shift = _affine_parts(op)
    found = (nonzero(op.inputs[0]) & scale) | shift
    return [found, *(patterns.nothing(value.shape) for value in op.outputs[1:])]


def _affine_backward(op: Operation, nonzero: Patterns, reached: Sequence[Tensor]) -> list[Tensor]:
    del nonzero
    scale, _ = _affine_parts(op)
    out = reached[0]
    channels = spread(out, [dim for dim in range(out.ndim) if dim != 1]).reshape(-1)
    return [out & scale, *(channels for _ in op.inputs[1:])]


def _normalised(op: Operation) -> tuple[tuple[int, ...], int]:
    """(dimensions that share statistics, number of groups along dimension 1)."""
    ndim = len(op.inputs[0].shape)
    if op.name == "native_layer_norm":
        return tuple(range(ndim - len(op.args[1]), ndim)), 1
    if op.name == "native_group_norm":
        return tuple(range(2, ndim)), int(op.args[6])
    return (0, *range(2, ndim)), op.inputs[0].shape[1]


def _share(
    pattern: Tensor, shape: Sequence[int], dims: Sequence[int], groups: int, name: str
) -> Tensor:
    """Any over everything that shares statistics."""
    pattern = spread(pattern, dims)
    if name == "native_group_norm" and pattern.shape[1] > 1:
        grouped = pattern.reshape(pattern.shape[0], groups, -1).any(dim=2, keepdim=True)
        grouped = grouped.expand(-1, -1, shape[1] // groups)
        pattern = grouped.reshape(pattern.shape[0], shape[1], *[1] * (len(shape) - 2))
    return pattern


def _parameters(op: Operation, pattern: Tensor) -> list[Tensor]:
    """Patterns for scale and shift from one for the result."""
    found = []
    for value in op.inputs[1:]:
        if op.name == "native_layer_norm":
            found.append(patterns.reduce_to(pattern, value.shape))
        else:
            keep = [dim for dim in range(pattern.ndim) if dim != 1]
            found.append(spread(pattern, keep).reshape(-1))
    return found


def _statistics_forward(op: Operation, nonzero: Patterns) -> list[Tensor]:
    source = op.inputs[0]
    dims, groups = _normalised(op)
    found = _share(nonzero(source), source.shape, dims, groups, op.name)
    given = named_arguments(op)
    for name, join in (("weight", torch.logical_and), ("bias", torch.logical_or)):
        value = given.get(name)
        if isinstance(value, Value):
            pattern = nonzero(value)
            if op.name != "native_layer_norm":
                pattern = pattern.reshape(1, -1, *[1] * (found.ndim - 2))
            found = join(found, patterns.pad_dims(pattern, found.ndim))
    return [found, *(patterns.everything(value.shape) for value in op.outputs[1:])]


def _statistics_backward(
    op: Operation, nonzero: Patterns, reached: Sequence[Tensor]
) -> list[Tensor]:
    source = op.inputs[0]
    dims, groups = _normalised(op)
    out = reached[0]
    weight = named_arguments(op).get("weight")
    through = out
    if isinstance(weight, Value):
        pattern = nonzero(weight)
        if op.name != "native_layer_norm":
            pattern = pattern.reshape(1, -1, *[1] * (out.ndim - 2))
        through = out & patterns.pad_dims(pattern, out.ndim)
    return [_share(through, source.shape, dims, groups, op.name), *_parameters(op, out)]


AFFINE = Rule(_affine_forward, _affine_backward)
STATISTICS = Rule(_statistics_forward, _statistics_backward)
