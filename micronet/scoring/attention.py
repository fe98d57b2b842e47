"""Scaled-dot-product attention, found again among the operators that it was taken apart into."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from micronet.scoring.ir import Operation, Value

# What stands between the two matrix products of scaled-dot-product attention.
_BETWEEN = frozenset("view _unsafe_view expand clone add masked_fill where _safe_softmax".split())


def mark_attention(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """The operations, those of scaled-dot-product attention marked as parts of it.

    Attention reaches the dispatcher already taken apart: scale the query and the key, multiply, mask,
    ``_safe_softmax`` (which nothing else uses), multiply by the value.
    """
    found = list(operations)
    producer = {id(value): i for i, op in enumerate(found) for value in op.outputs}
    consumers: dict[int, list[int]] = {}
    for i, op in enumerate(found):
        for value in op.inputs:
            consumers.setdefault(id(value), []).append(i)
    marked: set[int] = set()
    for i, op in enumerate(found):
        if op.name == "_safe_softmax":
            marked.add(i)
            marked |= _upstream(found, producer, op.inputs[0])
            marked |= _downstream(found, consumers, op.outputs[0])
    return tuple(
        replace(op, composite="scaled_dot_product_attention") if i in marked else op
        for i, op in enumerate(found)
    )


def _upstream(operations: list[Operation], producer: dict[int, int], value: Value) -> set[int]:
    """From the softmax back to the scaled query and key."""
    found: set[int] = set()
    pending = [value]
    while pending:
        i = producer.get(id(pending.pop()))
        if i is None:
            continue
        op = operations[i]
        before_product = op.name in ("mul", "transpose", "view", "expand", "clone", "_unsafe_view")
        if op.name in _BETWEEN or op.name == "bmm" or before_product:
            if op.name == "mul":  # the scaling: attention begins here
                found.add(i)
                continue
            found.add(i)
            pending.extend(v for v in op.inputs if v.dynamic)
    return {i for i in found if operations[i].name not in ("transpose",)}


def _downstream(
    operations: list[Operation], consumers: dict[int, list[int]], value: Value
) -> set[int]:
    """From the softmax on to the product with the value."""
    found: set[int] = set()
    pending = [value]
    while pending:
        for i in consumers.get(id(pending.pop()), ()):
            if operations[i].name == "bmm":
                found.add(i)
            elif operations[i].name in _BETWEEN or operations[i].name == "native_dropout":
                found.add(i)
                pending.extend(operations[i].outputs)
    return found
