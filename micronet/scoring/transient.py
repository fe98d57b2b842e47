"""The most activations alive at one moment of inference (the challenge's "MTAS", planned, never scored).

A buffer lives from the operator that makes it to the last one that reads it; views and in-place
operators share their buffer. Branches keep what they will need: that is what makes it hard by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from micronet.scoring.ir import Trace, Value

_ELEMENT_BITS = 32


@dataclass(frozen=True)
class Transient:
    """Peak of the activations alive at once: 32-bit elements, and the module at which it occurs."""

    elements: int
    bits: int
    at: str


def peak(trace: Trace, folds: Mapping[int, int]) -> Transient:
    """The largest sum of live activation buffers, inputs and outputs of the operator included.

    A batch norm that folds writes where the operator before it wrote.
    """
    same = _shared(trace, folds)
    size: dict[int, int] = {}
    first: dict[int, int] = {}
    last: dict[int, int] = {}

    def see(value: Value, moment: int) -> None:
        key = same.get(value.alias_of, value.alias_of)
        size[key] = max(size.get(key, 0), value.storage_bytes)
        first.setdefault(key, moment)
        last[key] = moment

    for value in trace.inputs:
        see(value, 0)
    read = {id(value) for op in trace.operations for value in op.inputs}
    read |= {id(value) for value in trace.outputs}
    for moment, op in enumerate(trace.operations):
        for value in op.inputs:
            if value.dynamic:
                see(value, moment)
        for position, value in enumerate(op.outputs):
            if position == 0 or id(value) in read:
                see(value, moment)
    for value in trace.outputs:
        if value.dynamic:
            see(value, len(trace.operations))
    return _sweep(trace, size, first, last)


def _shared(trace: Trace, folds: Mapping[int, int]) -> dict[int, int]:
    """Memory → the memory that it really is: folded norms, and buffers after a write to a part of them."""
    outputs = {i: op.outputs[0].alias_of for i, op in enumerate(trace.operations) if op.outputs}
    same = {outputs[norm]: outputs[linear] for norm, linear in folds.items()}
    for i, op in enumerate(trace.operations):
        if op.name in ("overlay", "reread"):
            written = op.args[1 if op.name == "overlay" else 0].alias_of
            same[outputs[i]] = same.get(written, written)
    return same


def _sweep(
    trace: Trace, size: Mapping[int, int], first: Mapping[int, int], last: Mapping[int, int]
) -> Transient:
    born: dict[int, list[int]] = {}
    gone: dict[int, list[int]] = {}
    for key, moment in first.items():
        born.setdefault(moment, []).append(key)
        gone.setdefault(last[key], []).append(key)
    alive, most, at = 0, 0, ""
    for moment in range(len(trace.operations) + 1):
        alive += sum(size[key] for key in born.get(moment, ()))
        if alive > most:
            op = trace.operations[moment] if moment < len(trace.operations) else None
            most, at = alive, (op.module or op.name) if op else "the output"
        alive -= sum(size[key] for key in gone.get(moment, ()))
    return Transient(most * 8 // _ELEMENT_BITS, most * 8, at)
