"""Convolutions of any dimension, grouped, dilated, strided and transposed.

Where input and output patterns do not vary over positions, the weight alone decides (and a tap that
only ever meets zero padding is dead); else the convolution of the patterns is really computed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import torch

from micronet.scoring import patterns
from micronet.scoring.liveness.rule import Patterns, Rule, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from micronet.scoring.ir import Operation, Value


_CPU = torch.device("cpu")  # what is remembered must not depend on a caller's default device


class Taps(NamedTuple):
    """For each tap of the kernel (flattened): whether it meets any, all outputs, all inputs."""

    used: Tensor
    all_outputs: Tensor
    all_inputs: Tensor
    inputs_read: tuple[Tensor, ...]
    """For each spatial dimension: the input positions that any tap reads."""


class Convolution(NamedTuple):
    """The arguments of ``aten.convolution`` that matter here."""

    source: Value
    weight: Value
    bias: Value | None
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    transposed: bool
    output_padding: tuple[int, ...]
    groups: int


def arguments(op: Operation) -> Convolution:
    """The call's arguments, one number a spatial dimension."""
    dims = len(op.outputs[0].shape) - 2

    def each(numbers: Sequence[int]) -> tuple[int, ...]:
        return tuple(numbers) * dims if len(numbers) == 1 else tuple(numbers)

    source, weight, bias, stride, padding, dilation, transposed, extra, groups = op.args[:9]
    return Convolution(
        source,
        weight,
        bias,
        each(stride),
        each(padding),
        each(dilation),
        transposed,
        each(extra),
        groups,
    )


def taps(op: Operation) -> Taps:
    """Geometry of the kernel over the padded input, dimension by dimension."""
    conv = arguments(op)
    sizes = zip(conv.source.shape[2:], conv.weight.shape[2:], op.outputs[0].shape[2:], strict=True)
    steps = zip(conv.stride, conv.padding, conv.dilation, strict=True)
    return _taps(conv.transposed, tuple(sizes), tuple(steps))


@lru_cache(maxsize=1024)
def _taps(
    transposed: bool,  # noqa: FBT001
    sizes: tuple[tuple[int, int, int], ...],
    steps: tuple[tuple[int, int, int], ...],
) -> Taps:
    """``sizes`` are (input, kernel, output), ``steps`` (stride, padding, dilation), by dimension."""
    used, all_outputs, all_inputs = (torch.ones(1, dtype=torch.bool, device=_CPU) for _ in range(3))
    read = []
    for (extent, kernel, out), (stride, padding, dilation) in zip(sizes, steps, strict=True):
        few, many = (extent, out) if transposed else (out, extent)
        start = torch.arange(few, device=_CPU) * stride - padding
        offsets = torch.arange(kernel, device=_CPU) * dilation
        at = start[None, :] + offsets[:, None]  # [tap, few]: the position on the other side
        inside = (at >= 0) & (at < many)
        met = torch.zeros(kernel, many, dtype=torch.bool, device=_CPU)
        rows = torch.arange(kernel, device=_CPU)[:, None].expand_as(at)
        met[rows[inside], at[inside]] = True
        outputs, inputs = (met, inside) if transposed else (inside, met)
        used = _outer(used, inside.any(1))
        all_outputs = _outer(all_outputs, outputs.all(1))
        all_inputs = _outer(all_inputs, inputs.all(1))
        read.append(inputs.any(0))
    return Taps(used, all_outputs, all_inputs, tuple(read))


def _outer(left: Tensor, right: Tensor) -> Tensor:
    return (left[:, None] & right[None, :]).flatten()


def by_group(op: Operation, weight: Tensor) -> Tensor:
    """A weight pattern as [group, output, input, tap] (a view where possible)."""
    conv = arguments(op)
    weight = weight.expand(conv.weight.shape)
    if conv.transposed:  # [input, output / groups, taps]
        inputs, outputs = weight.shape[:2]
        return weight.reshape(conv.groups, inputs // conv.groups, outputs, -1).transpose(1, 2)
    outputs, inputs = weight.shape[:2]
    return weight.reshape(conv.groups, outputs // conv.groups, inputs, -1)


def from_group(op: Operation, grouped: Tensor) -> Tensor:
    """The inverse of ``by_group``."""
    conv = arguments(op)
    if conv.transposed:
        grouped = grouped.transpose(1, 2)
    return grouped.reshape(conv.weight.shape)


def _uniform(pattern: Tensor) -> bool:
    return all(extent == 1 for dim, extent in enumerate(pattern.shape) if dim != 1)


def _channels(pattern: Tensor, channels: int, groups: int) -> Tensor:
    """A pattern that varies over channels only, as [group, channel of the group]."""
    return pattern.reshape(-1).expand(channels).reshape(groups, -1)


def forward(op: Operation, nonzero: Patterns) -> list[Tensor]:
    """An output can be nonzero if one of its products can, or its bias."""
    conv = arguments(op)
    source, weight = nonzero(conv.source), nonzero(conv.weight)
    found = _forward_uniform(op, source, weight) if _uniform(source) else None
    if found is None:
        found = patterns.compress(_convolve(op, source, weight) > 0)
    if conv.bias is not None:
        bias = nonzero(conv.bias)
        found = found | bias.reshape(1, -1, *[1] * len(conv.stride))
    return [found]


def _forward_uniform(op: Operation, source: Tensor, weight: Tensor) -> Tensor | None:
    conv = arguments(op)
    shape = op.outputs[0].shape
    geometry = taps(op)
    if source.numel() == 1 and weight.numel() == 1:
        if not (source.item() and weight.item() and geometry.used.any()):
            return patterns.nothing(shape)
        if geometry.all_outputs.any():
            return patterns.everything(shape)
    edges = (
        by_group(op, weight)
        & _channels(source, conv.source.shape[1], conv.groups)[:, None, :, None]
    )
    rows = patterns.any_over(edges & geometry.used, (2, 3))
    full = patterns.any_over(edges & geometry.all_outputs, (2, 3))
    if bool((rows == full).all()):
        return rows.reshape(1, -1, *[1] * len(conv.stride))
    return None


def _convolve(op: Operation, source: Tensor, weight: Tensor) -> Tensor:
    conv = arguments(op)
    return torch.convolution(
        source.expand(conv.source.shape).float(),
        weight.expand(conv.weight.shape).float(),
        None,
        *op.args[3:9],
    )


def backward(op: Operation, nonzero: Patterns, reached: Sequence[Tensor]) -> list[Tensor]:
    """Source, weight and bias: where the output is reached through a partner that can be nonzero."""
    conv = arguments(op)
    source, weight, out = nonzero(conv.source), nonzero(conv.weight), reached[0]
    found = None
    if _uniform(source) and _uniform(out):
        found = _backward_uniform(op, source, weight, out)
    if found is None:
        found = _backward_computed(op, source, weight, out)
    if conv.bias is not None:
        dims = [dim for dim in range(out.ndim) if dim != 1]
        needed = out & nonzero(op.outputs[0])  # the zero bias of a dead row is no value
        found.append(spread(needed, dims).reshape(-1))
    return found


def _backward_uniform(
    op: Operation, source: Tensor, weight: Tensor, out: Tensor
) -> list[Tensor] | None:
    conv = arguments(op)
    geometry = taps(op)
    kernel = conv.weight.shape[2:]
    positions = _positions_read(geometry)
    if source.numel() == weight.numel() == out.numel() == 1:
        live = bool(source.item() and out.item())
        return [
            positions if out.item() and weight.item() else patterns.nothing(conv.source.shape),
            patterns.compress(geometry.used.reshape(1, 1, *kernel) & live),
        ]
    targets = _channels(out, op.outputs[0].shape[1], conv.groups)[:, :, None, None]
    sources = _channels(source, conv.source.shape[1], conv.groups)[:, None, :, None]
    edges = by_group(op, weight) & targets & geometry.used
    columns = patterns.any_over(edges, (1, 3))
    full = patterns.any_over(edges & geometry.all_inputs, (1, 3))
    to_source = columns.reshape(1, -1, *[1] * len(conv.stride))
    if bool((columns != full).any()):
        if len(geometry.used) > 1:
            return None
        to_source = to_source & positions  # one tap: it reads the same positions of every channel
    # A weight is reached wherever it would matter if it were not zero.
    to_weight = (targets & sources & geometry.used).expand(by_group(op, weight).shape)
    return [to_source, from_group(op, to_weight)]


def _positions_read(geometry: Taps) -> Tensor:
    dims = len(geometry.inputs_read)
    found = torch.ones((1,) * (2 + dims), dtype=torch.bool)
    for dim, read in enumerate(geometry.inputs_read):
        found = found & read.reshape([-1 if d == 2 + dim else 1 for d in range(2 + dims)])
    return patterns.compress(found)


def _backward_computed(op: Operation, source: Tensor, weight: Tensor, out: Tensor) -> list[Tensor]:
    conv = arguments(op)
    x = source.expand(conv.source.shape).float().contiguous().requires_grad_()
    w = weight.expand(conv.weight.shape).float().contiguous().requires_grad_()
    with torch.enable_grad():
        y = torch.convolution(x, w, None, *op.args[3:9])
    gradients = torch.autograd.grad(y, (x, w), out.expand(op.outputs[0].shape).float())
    return [patterns.compress(gradients[0] > 0), gradients[1] > 0]


RULE = Rule(forward, backward)
