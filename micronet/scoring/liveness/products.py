"""Matrix products: mm, addmm, bmm, baddbmm, mv, addmv, dot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micronet.scoring import patterns
from micronet.scoring.liveness.rule import Patterns, Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from micronet.scoring.ir import Operation, Value

PRODUCTS = frozenset("mm bmm addmm baddbmm addbmm mv addmv dot".split())


def operands(op: Operation) -> tuple[Value | None, Value, Value]:
    """(bias or None, left, right) of a matrix product."""
    if op.name.startswith(("add", "badd")):
        return op.inputs[0], op.inputs[1], op.inputs[2]
    return None, op.inputs[0], op.inputs[1]


def _as_matrices(op: Operation, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    if op.name in ("mv", "addmv"):
        return left, right.unsqueeze(-1)
    if op.name == "dot":
        return left.unsqueeze(0), right.unsqueeze(-1)
    return left, right


def product(left: Tensor, right: Tensor, inner: int) -> Tensor:
    """Pattern of left @ right, [.., m, k] @ [.., k, n]; ``inner`` is the true k."""
    if left.shape[-1] == 1 and right.shape[-2] == 1:  # neither varies along k
        return left & right
    if left.shape[-1] == 1:
        return left & patterns.any_over(right, (-2,), keepdim=True)
    if right.shape[-2] == 1:
        return patterns.any_over(left, (-1,), keepdim=True) & right
    if left.shape[-2] == 1:  # one row: no need to multiply
        return patterns.any_over(left.transpose(-1, -2) & right, (-2,), keepdim=True)
    if right.shape[-1] == 1:
        return patterns.any_over(left & right.transpose(-1, -2), (-1,), keepdim=True)
    left = left.expand(*left.shape[:-1], inner)
    right = right.expand(*right.shape[:-2], inner, right.shape[-1])
    return (left.float() @ right.float()) > 0


def _result(op: Operation, pattern: Tensor) -> Tensor:
    if op.name in ("mv", "addmv"):
        return pattern.squeeze(-1)
    if op.name == "dot":
        return pattern.reshape(())
    return pattern.any(dim=0) if op.name == "addbmm" else pattern


def forward(op: Operation, nonzero: Patterns) -> list[Tensor]:
    """An output can be nonzero if one product of its sum can, or its bias."""
    bias, left, right = operands(op)
    a, b = _as_matrices(op, nonzero(left), nonzero(right))
    found = _result(op, product(a, b, left.shape[-1]))
    if bias is not None:
        found = found | patterns.pad_dims(nonzero(bias), found.ndim)
    return [found]


def backward(op: Operation, nonzero: Patterns, reached: Sequence[Tensor]) -> list[Tensor]:
    """A factor is reached where its partner can be nonzero and the sum is reached."""
    bias, left, right = operands(op)
    a, b = _as_matrices(op, nonzero(left), nonzero(right))
    out = reached[0]
    if op.name in ("mv", "addmv"):
        out = out.unsqueeze(-1)
    elif op.name == "dot":
        out = out.reshape(1, 1)
    elif op.name == "addbmm":
        out = out.unsqueeze(0)
    columns = right.shape[-1] if op.name not in ("mv", "addmv", "dot") else 1
    rows = left.shape[-2] if op.name != "dot" else 1
    to_left = product(out, b.transpose(-1, -2), columns)
    to_right = product(a.transpose(-1, -2), out, rows)
    if op.name in ("mv", "addmv", "dot"):
        to_right = to_right.squeeze(-1)
    if op.name == "dot":
        to_left = to_left.squeeze(0)
    found = [to_left, to_right]
    if bias is not None:
        needed = reached[0] & nonzero(op.outputs[0])  # the zero bias of a dead row is no value
        found.insert(0, patterns.reduce_to(needed, bias.shape))
    return found


RULE = Rule(forward, backward)
