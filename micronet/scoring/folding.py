"""Which batch norms disappear into the linear operator before them.

A batch norm with stored statistics is one scale and one shift a channel. Directly after a convolution
or a linear layer whose result nobody else reads, the scale goes into the weight and the shift becomes
the bias. ``slim`` folds exactly these; the counter prices every other one as an operation of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from micronet.scoring.acts import LINEAR
from micronet.scoring.liveness.mixing import is_affine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from micronet.scoring.ir import Operation, Trace, Value


def weight_of(op: Operation) -> Value | None:
    """The constant that a linear operator multiplies its input by; None if both depend on the input."""
    if op.name not in LINEAR:
        return None
    factors = op.inputs[-2:] if op.name != "convolution" else op.inputs[:2]
    constant = [value for value in factors if not value.dynamic]
    return constant[-1] if constant else None


def bias_of(op: Operation) -> Value | None:
    """The tensor that a linear operator adds to its products."""
    if op.name not in LINEAR:
        return None
    if op.name == "convolution":
        return op.args[2]  # type: ignore[no-any-return]  # a Value or None
    return op.inputs[0] if op.name.startswith(("add", "badd")) else None


def folds(trace: Trace) -> Mapping[int, int]:
    """Batch norm → linear operator, by position in the trace.

    A weight that several calls share folds only if each of its calls is followed by the same norm.
    """
    producer = {id(v): i for i, op in enumerate(trace.operations) for v in op.outputs}
    readers: dict[int, int] = {}
    for op in trace.operations:
        for value in op.inputs:
            readers[id(value)] = readers.get(id(value), 0) + 1
    outputs = {id(value) for value in trace.outputs}
    found: dict[int, int] = {}
    for i, op in enumerate(trace.operations):
        if op.name not in ("native_batch_norm", "_native_batch_norm_legit_no_training"):
            continue
        source = op.inputs[0]
        before = producer.get(id(source))
        if before is None or readers[id(source)] != 1 or id(source) in outputs or not is_affine(op):
            continue
        if _weight_channels_first(trace.operations[before]):
            found[i] = before
    return _consistent(trace, found)


def _weight_channels_first(op: Operation) -> bool:
    """A linear operator whose result has its channels in dimension 1, as batch norm reads them."""
    bias = bias_of(op)
    constant_bias = bias is None or not bias.dynamic
    on_the_right = op.name in ("mm", "addmm") and weight_of(op) is op.inputs[-1]
    return (
        weight_of(op) is not None and constant_bias and (op.name == "convolution" or on_the_right)
    )


def _consistent(trace: Trace, found: Mapping[int, int]) -> Mapping[int, int]:
    norm_after = {linear: norm for norm, linear in found.items()}
    calls: dict[object, list[int]] = {}
    for i, op in enumerate(trace.operations):
        weight = weight_of(op)
        if weight is not None:
            # One weight, however often a parametrisation computes it anew.
            key = trace.roots[weight.root].parameters or weight.root
            calls.setdefault(key, []).append(i)
    bad: set[int] = set()
    for group in calls.values():
        norms = {_identity(trace, norm_after.get(i)) for i in group}
        if len(norms) > 1:
            bad |= set(group)
    return {norm: linear for norm, linear in found.items() if linear not in bad}


def _identity(trace: Trace, norm: int | None) -> tuple[int, ...] | None:
    if norm is None:
        return None
    return tuple(value.root for value in trace.operations[norm].inputs[1:])
