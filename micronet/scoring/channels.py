"""Which axes of each activation are channels, so that costs drop by whole channels only.

A dead channel can be taken out of a network. A position that nobody looks at (a cropped border, all
tokens but the first) is computed all the same, so it counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from micronet.scoring import patterns
from micronet.scoring.liveness.products import PRODUCTS
from micronet.scoring.liveness.rule import dims_of, named_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from micronet.scoring.ir import Operation, Trace, Value

Axes = frozenset[int]
_RESHAPES = frozenset("view _unsafe_view reshape _reshape_alias".split())


def channel_axes(trace: Trace) -> dict[int, Axes]:
    """The channel axes of every dynamic value, by ``id``."""
    found: dict[int, Axes] = {}
    for value in trace.inputs:
        ndim = len(value.shape)
        found[id(value)] = frozenset([1 if ndim > 2 else ndim - 1] if ndim else [])
    for op in trace.operations:
        for value in op.outputs:
            found[id(value)] = _axes(op, value, found)
    return found


def _axes(op: Operation, output: Value, known: Mapping[int, Axes]) -> Axes:
    ndim = len(output.shape)
    every = frozenset(range(ndim))
    if op.name in ("convolution", "im2col"):
        return frozenset([1])
    if op.name in PRODUCTS or op.name == "embedding":
        return frozenset([ndim - 1]) if ndim else every
    sources = [value for value in op.inputs if value.dynamic]
    if not sources:
        return every
    source = sources[0]
    axes = known[id(source)]
    if op.name in _RESHAPES:
        return reshaped(source.shape, output.shape, axes)
    if op.name in ("permute", "transpose", "t"):
        order = axis_order(op)
        return frozenset(new for new, old in enumerate(order) if old in axes)
    if op.name == "unsqueeze":
        dim = int(op.args[1]) % ndim
        return frozenset(axis + (axis >= dim) for axis in axes)
    if op.name in ("select", "squeeze", "mean", "sum", "amax", "unbind"):
        return _dropped(op, source, axes, ndim)
    same = [known[id(v)] for v in sources if len(v.shape) == ndim]
    return frozenset().union(*same) if same else every


def axis_order(op: Operation) -> list[int]:
    """For permute, transpose and t: the old axis at each new position."""
    ndim = len(op.inputs[0].shape)
    order = list(range(ndim))
    if op.name == "permute":
        return [dim % ndim for dim in op.args[1]]
    first, second = (0, 1) if op.name == "t" else (op.args[1] % ndim, op.args[2] % ndim)
    if ndim > 1:
        order[first], order[second] = order[second], order[first]
    return order


def _dropped(op: Operation, source: Value, axes: Axes, ndim: int) -> Axes:
    if len(source.shape) == ndim:
        return axes
    given = named_arguments(op).get("dim")
    gone = set(dims_of(given, len(source.shape)))
    if op.name == "squeeze":
        gone = {dim for dim in gone if source.shape[dim] == 1}
    kept = [dim for dim in range(len(source.shape)) if dim not in gone]
    return frozenset(new for new, old in enumerate(kept) if old in axes) or frozenset(range(ndim))


def reshaped(old: Sequence[int], new: Sequence[int], axes: Axes) -> Axes:
    """Channel axes after a reshape: a new axis is one if any channel axis went into it."""
    found: set[int] = set()
    i = j = 0
    while i < len(old) and j < len(new):
        first_old, first_new = i, j
        left, right = old[i], new[j]
        i, j = i + 1, j + 1
        while left != right and (i < len(old) or j < len(new)):
            if left < right and i < len(old):
                left, i = left * old[i], i + 1
            elif j < len(new):
                right, j = right * new[j], j + 1
            else:
                break
        if any(axis in axes and old[axis] > 1 for axis in range(first_old, i)):
            found |= set(range(first_new, j))
    return frozenset(found) or frozenset(range(len(new)))


def by_channel(pattern: Tensor, axes: Axes) -> Tensor:
    """The pattern with every axis that is not a channel made uniform (any)."""
    for dim in range(pattern.ndim):
        if dim not in axes and pattern.shape[dim] > 1:
            pattern = pattern.any(dim=dim, keepdim=True)
    return pattern


def count(pattern: Tensor, shape: Sequence[int], axes: Axes) -> int:
    """Number of elements in the channels that the pattern has."""
    return patterns.count(by_channel(pattern, axes), shape)


def permutes_channels(op: Operation, axes: Axes) -> bool:
    """Whether an operator changes the order in which channels lie (a channel shuffle).

    However it is written: a transpose of the split channel axis, ``channel_shuffle``, ``flip``,
    ``roll``, or a look-up by a constant index that is no slice.
    """
    shape = op.inputs[0].shape
    if op.name in ("permute", "transpose"):
        moved = [axis for axis in axis_order(op) if axis in axes and shape[axis] > 1]
        return moved != sorted(moved)
    if op.name in ("channel_shuffle", "native_channel_shuffle"):
        return int(op.args[1]) > 1
    if op.name in ("flip", "roll"):
        dims = dims_of(op.args[-1], len(shape))
        return any(dim in axes and shape[dim] > 1 for dim in dims)
    if op.name == "index_select":
        return op.args[1] % len(shape) in axes and _disorders(op.args[2])
    if op.name == "index":
        places = enumerate(op.args[1])
        return any(dim in axes and index is not None and _disorders(index) for dim, index in places)
    return False


def _disorders(index: Value) -> bool:
    """Whether a constant index may do anything else than keep elements in their order."""
    if index.dtype.itemsize == 1:  # a boolean mask
        return False
    if index.tensor is None:  # unknown
        return not index.dynamic
    steps = index.tensor.flatten().diff()
    return bool((steps <= 0).any())
