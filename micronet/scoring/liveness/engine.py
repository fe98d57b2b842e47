"""The two passes over the trace, and the live elements of every stored tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from micronet.scoring import patterns
from micronet.scoring.liveness import convolution, elementwise, mixing, moves, products, windows
from micronet.scoring.liveness.rule import DOUBT, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from micronet.scoring.ir import Geometry, Operation, Trace, Value


@dataclass(frozen=True)
class Liveness:
    """What can be nonzero, what reaches the output, and which elements of each root are in use."""

    nonzero: Mapping[int, Tensor]
    reached: Mapping[int, Tensor]
    read: Mapping[int, Tensor | None]
    """By root: elements that any operation reads (flat; None stands for all)."""
    used: Mapping[int, Tensor | None]
    """By root: elements that reach the output through partners that can be nonzero (flat)."""

    def can_be_nonzero(self, value: Value) -> Tensor:
        """Elements of any value that can be nonzero."""
        known = self.nonzero.get(id(value))
        return patterns.everything(value.shape) if known is None else known

    def alive(self, value: Value) -> Tensor:
        """Elements of a dynamic value that can be nonzero and reach the output."""
        reached = self.reached.get(id(value))
        return (
            patterns.nothing(value.shape) if reached is None else self.nonzero[id(value)] & reached
        )

    def reaches(self, value: Value) -> Tensor:
        """Elements of a value that reach the output."""
        reached = self.reached.get(id(value))
        return patterns.nothing(value.shape) if reached is None else reached

    def used_part(self, value: Value) -> Tensor:
        """The used elements of the root that a constant is a view of, as a pattern of that view."""
        return _part(self.used, value)


_BY_NAME: dict[str, Rule] = {
    "convolution": convolution.RULE,
    "native_layer_norm": mixing.STATISTICS,
    "native_group_norm": mixing.STATISTICS,
    "embedding": moves.LOOKUP,
    **dict.fromkeys(("_softmax", "_log_softmax", "_safe_softmax"), mixing.SOFTMAX),
    **dict.fromkeys(products.PRODUCTS, products.RULE),
    **dict.fromkeys(moves.MOVES, moves.MOVE),
    **dict.fromkeys(  # without the tag that torch gives the others
        "hardswish _prelu_kernel rsub masked_fill remainder fmod floor_divide".split(),
        elementwise.RULE,
    ),
    **dict.fromkeys(windows.WINDOWS, windows.RULE),
}


def rule_of(op: Operation) -> Rule:
    """How an operator passes patterns on."""
    rule = _BY_NAME.get(op.name)
    if rule is not None:
        return rule
    if op.name in mixing.BATCH_NORMS:
        return mixing.AFFINE if mixing.is_affine(op) else mixing.STATISTICS
    if op.name in mixing.REDUCTIONS and len(op.inputs) == 1:
        return mixing.REDUCTION
    if torch.Tag.pointwise in getattr(op.function, "tags", ()):
        return elementwise.RULE
    return DOUBT


def analyse(trace: Trace) -> Liveness:
    """Forward and backward over the whole network; one pass each is the fixed point."""
    return _Analysis(trace).run()


class _Analysis:
    """The patterns found so far."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._nonzero = {id(value): patterns.everything(value.shape) for value in trace.inputs}
        self._contents: dict[tuple[int, Geometry | None, Any], Tensor] = {}
        self._reached: dict[int, Tensor] = {}
        self._read: dict[int, Tensor | None] = {}
        self._used: dict[int, Tensor | None] = {}

    def run(self) -> Liveness:
        for op in self._trace.operations:
            self._forward(op)
        for value in self._trace.outputs:
            self._reach(value, patterns.everything(value.shape))
        for op in reversed(self._trace.operations):
            self._backward(op)
        return Liveness(self._nonzero, self._reached, self._read, self._used)

    def _see(self, value: Value) -> Tensor:
        found = self._nonzero.get(id(value))
        if found is None:
            # A recurrent weight is another Value at each time step.
            key = (value.root, value.where, value.dtype)
            found = self._contents.get(key)
            if found is None:
                found = self._contents[key] = _pattern_of(value)
            self._nonzero[id(value)] = found
        return found

    def _forward(self, op: Operation) -> None:
        for value in op.inputs:
            if not value.dynamic:
                _mark(self._read, value, patterns.everything(value.shape))
        outputs = rule_of(op).forward(op, self._see)
        for value, pattern in zip(op.outputs, outputs, strict=True):
            self._nonzero[id(value)] = pattern

    def _backward(self, op: Operation) -> None:
        if not op.outputs:  # Python reads a value, and may decide what runs
            for value in op.inputs:
                self._reach(value, patterns.everything(value.shape))
            return
        if not any(id(value) in self._reached for value in op.outputs):
            return
        wanted = [
            self._reached.get(id(value), patterns.nothing(value.shape)) for value in op.outputs
        ]
        if all(patterns.is_nothing(pattern) for pattern in wanted):
            return
        inputs = rule_of(op).backward(op, self._see, wanted)
        for value, pattern in zip(op.inputs, inputs, strict=True):
            self._reach(value, pattern)

    def _reach(self, value: Value, pattern: Tensor) -> None:
        before = self._reached.get(id(value))
        if before is not None:
            pattern = before | pattern
            if pattern.numel() > 1 and patterns.all_true(pattern):
                pattern = patterns.everything(value.shape)
        self._reached[id(value)] = pattern
        if not value.dynamic:
            _mark(self._used, value, pattern)


def _pattern_of(constant: Value) -> Tensor:
    content = constant.tensor
    if content is None or int(content.count_nonzero()) == content.numel():
        return patterns.everything(constant.shape)
    return patterns.compress(content.bool())


def _mark(masks: dict[int, Tensor | None], value: Value, pattern: Tensor) -> None:
    """Add the elements of a constant view to the mask of its root."""
    where = value.where
    if where is None or (value.root in masks and masks[value.root] is None):
        return
    if value.numel == where.storage_elements and patterns.is_everything(pattern):
        masks[value.root] = None
        return
    if patterns.is_nothing(pattern):
        masks.setdefault(value.root, torch.zeros(where.storage_elements, dtype=torch.bool))
        return
    mask = masks.get(value.root)
    if mask is None:
        mask = masks[value.root] = torch.zeros(where.storage_elements, dtype=torch.bool)
    view, pattern = _distinct(mask, where, pattern)
    view |= pattern


def _distinct(mask: Tensor, where: Geometry, pattern: Tensor) -> tuple[Tensor, Tensor]:
    """The view of ``mask`` at ``where`` without the dimensions that only repeat elements."""
    size = list(where.size)
    for dim, stride in enumerate(where.stride):
        if stride == 0 and size[dim] > 1:
            size[dim] = 1
            if pattern.shape[dim] > 1:
                pattern = patterns.any_over(pattern, (dim,), keepdim=True)
    return mask.as_strided(size, where.stride, where.offset), pattern


def _part(masks: Mapping[int, Tensor | None], value: Value) -> Tensor:
    if value.where is None or value.root not in masks:
        return patterns.nothing(value.shape)
    mask = masks[value.root]
    if mask is None:
        return patterns.everything(value.shape)
    return mask.as_strided(value.where.size, value.where.stride, value.where.offset)
