"""Operators that only move data: views, permutations, concatenation, slices, padding, look-ups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from micronet.scoring import patterns
from micronet.scoring.liveness.rule import Patterns, Rule, call_with, named_arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from micronet.scoring.ir import Operation, Value

# Every element of every dynamic input appears in the outputs.
TOTAL = frozenset(
    "view _unsafe_view reshape permute transpose t clone contiguous unsqueeze squeeze expand cat stack "
    "alias detach flip roll repeat pixel_shuffle pixel_unshuffle channel_shuffle _to_copy lift_fresh "
    "split split_with_sizes unsafe_split unsafe_split_with_sizes unbind unfold movedim swapaxes "
    "view_as_real view_as_complex rot90 constant_pad_nd native_channel_shuffle _reshape_alias".split()
)
# These read a part of their input, or bring in zeros.
PARTIAL = frozenset(
    "slice select narrow index index_select diagonal as_strided overlay reread reflection_pad1d "
    "reflection_pad2d replication_pad2d replication_pad1d replication_pad3d tril triu im2col col2im "
    "slice_scatter select_scatter gather take_along_dim diag_embed _pad_circular".split()
)
MOVES = TOTAL | PARTIAL | {"copy", "fill", "zero"}
_INTRODUCES_ZEROS = frozenset("constant_pad_nd tril triu diag_embed col2im".split())
# They act along one dimension: the others may stay compressed.
_ALONG_DIM = frozenset(
    "slice select split split_with_sizes unsafe_split unsafe_split_with_sizes cat".split()
)


def _data_inputs(op: Operation) -> list[int]:
    """Positions of the inputs that are moved (and not used as an index)."""
    return [
        i for i, value in enumerate(op.inputs) if value.dtype.is_floating_point or not _index(op, i)
    ]


def _index(op: Operation, i: int) -> bool:
    return op.name in ("index", "index_select", "gather", "take_along_dim") and i > 0


def _along(op: Operation) -> int | None:
    if op.name not in _ALONG_DIM:
        return None
    dim = named_arguments(op).get("dim", 0)
    return int(dim) % len(op.inputs[0].shape)


def _operands(op: Operation, found: Sequence[Tensor]) -> list[Tensor]:
    """Float tensors to run the operator on; index operands stay what they are."""
    dim = _along(op)
    tensors = []
    for i, (value, pattern) in enumerate(zip(op.inputs, found, strict=True)):
        if _index(op, i):
            content = (
                torch.zeros(value.shape, dtype=value.dtype)
                if value.tensor is None
                else value.tensor
            )
            tensors.append(content)
        elif dim is None:
            tensors.append(pattern.expand(value.shape).float().contiguous())
        else:
            shape = [value.shape[d] if d == dim else pattern.shape[d] for d in range(pattern.ndim)]
            tensors.append(pattern.expand(shape).float().contiguous())
    if dim is not None:  # concatenated parts must agree in the other dimensions
        shapes = [t.shape for t in tensors]
        most = [max(s[d] for s in shapes) for d in range(len(shapes[0]))]
        tensors = [
            t.expand([t.shape[d] if d == dim else most[d] for d in range(t.ndim)]) for t in tensors
        ]
    return tensors


def _unknown_index(op: Operation) -> bool:
    return any(_index(op, i) and value.tensor is None for i, value in enumerate(op.inputs))


def _outputs(op: Operation, tensors: Sequence[Tensor]) -> list[Tensor]:
    result = call_with(op, tensors)
    return [*result] if isinstance(result, (tuple, list)) else [result]


def forward(op: Operation, nonzero: Patterns) -> list[Tensor]:
    """The operator itself, run on 0/1 tensors."""
    if op.name == "zero" or (op.name == "fill" and len(op.inputs) == 1 and not op.args[1]):
        return [patterns.nothing(value.shape) for value in op.outputs]
    if op.name == "fill":
        return [patterns.everything(value.shape) for value in op.outputs]
    if op.name == "copy":
        return [patterns.pad_dims(nonzero(op.inputs[1]), len(op.outputs[0].shape))]
    found = [nonzero(value) for value in op.inputs]
    moved = [found[i] for i in _data_inputs(op)]
    fills = op.name in _INTRODUCES_ZEROS and not (op.name == "constant_pad_nd" and _fill_value(op))
    if all(patterns.is_nothing(p) for p in moved) and not _fill_value(op):
        return [patterns.nothing(value.shape) for value in op.outputs]
    if not fills and all(patterns.is_everything(p) for p in moved):
        return [patterns.everything(value.shape) for value in op.outputs]
    if _unknown_index(op):
        return [patterns.everything(value.shape) for value in op.outputs]
    return [patterns.compress(out != 0) for out in _outputs(op, _operands(op, found))]


def _fill_value(op: Operation) -> bool:
    """Whether padding brings in something that is not zero."""
    return op.name == "constant_pad_nd" and bool(op.argument(2, "value", 0))


def backward(op: Operation, nonzero: Patterns, reached: Sequence[Tensor]) -> list[Tensor]:
    """The transpose of the operator, by automatic differentiation."""
    del nonzero
    if op.name in ("fill", "zero"):
        return [patterns.nothing(value.shape) for value in op.inputs]
    if op.name == "copy":
        source = op.inputs[1]
        return [patterns.nothing(op.inputs[0].shape), patterns.reduce_to(reached[0], source.shape)]
    everywhere = all(patterns.is_everything(pattern) for pattern in reached)
    total = op.name in TOTAL and not (op.name == "constant_pad_nd" and min(op.args[1]) < 0)
    if _unknown_index(op) or (total and everywhere):
        return [patterns.everything(value.shape) for value in op.inputs]
    return _transposed(op, reached)


def _ones(value: Value, dim: int | None, reached: Sequence[Tensor]) -> Tensor:
    """All ones; along the other dimensions only as long as the reached patterns need."""
    shape = list(value.shape)
    if dim is not None and all(pattern.ndim == len(shape) for pattern in reached):
        for other in range(len(shape)):
            if other != dim and all(pattern.shape[other] == 1 for pattern in reached):
                shape[other] = 1
    return torch.ones(shape, dtype=torch.bool)


def _transposed(op: Operation, reached: Sequence[Tensor]) -> list[Tensor]:
    dim = _along(op)
    full = [_ones(value, dim, reached) for value in op.inputs]
    tensors = _operands(op, full)
    moved = [i for i in range(len(tensors)) if not _index(op, i)]
    for i in moved:
        tensors[i] = tensors[i].detach().clone().requires_grad_()
    with torch.enable_grad():
        outputs = _outputs(op, tensors)
    wanted = [
        pattern.expand(out.shape).float() for out, pattern in zip(outputs, reached, strict=True)
    ]
    gradients = torch.autograd.grad(outputs, [tensors[i] for i in moved], wanted, allow_unused=True)
    result: list[Tensor] = [patterns.everything(value.shape) for value in op.inputs]
    for i, gradient in zip(moved, gradients, strict=True):
        shape = op.inputs[i].shape
        reads = gradient is not None  # allow_unused: it may be
        result[i] = patterns.compress(gradient > 0) if reads else patterns.nothing(shape)
    return result


MOVE = Rule(forward, backward)


# --- embedding: a look-up whose index depends on the input ----------------------------------------


def _lookup_forward(op: Operation, nonzero: Patterns) -> list[Tensor]:
    table = nonzero(op.inputs[0])
    row = patterns.any_over(table, (0,))
    return [row.reshape(*[1] * (len(op.outputs[0].shape) - 1), -1)]


def _lookup_backward(op: Operation, nonzero: Patterns, reached: Sequence[Tensor]) -> list[Tensor]:
    del nonzero
    columns = patterns.reduce_to(reached[0], (1,) * (reached[0].ndim - 1) + op.inputs[0].shape[1:])
    rows = columns.reshape(1, -1)
    return [rows, *(patterns.everything(value.shape) for value in op.inputs[1:])]


LOOKUP = Rule(_lookup_forward, _lookup_backward)
