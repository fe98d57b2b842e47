"""The network that is counted: what is computed, and what has to be stored."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from micronet.scoring import channels, folding, patterns
from micronet.scoring.facts import Facts
from micronet.scoring.storage import Inventory, Stored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from micronet.scoring.ir import Operation, Trace, Value
    from micronet.scoring.rulebook import Edges


class Network(Facts):
    """A trace with its facts, and with the questions that every price asks of it."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self._tensors: dict[bool, tuple[Stored, ...]] = {}

    def tensors(self, *, fold: bool) -> tuple[Stored, ...]:
        """Everything that has to be stored (measured once)."""
        if fold not in self._tensors:
            self._tensors[fold] = tuple(Inventory(self, fold=fold).stored())
        return self._tensors[fold]

    @cached_property
    def folds(self) -> Mapping[int, int]:
        """Batch norms that fold, by position, and where to.

        Not into weights that share a codebook or one grid: a scale for each channel would break it.
        """
        found = folding.folds(self.trace)
        coarse = Inventory(self, fold=False).coarse() if found else frozenset[int]()
        weights = {norm: folding.weight_of(self.trace.operations[at]) for norm, at in found.items()}
        return {
            norm: at
            for norm, at in found.items()
            if (weight := weights[norm]) is not None and weight.root not in coarse
        }

    def weight_pattern(self, weight: Value, edges: Edges) -> Tensor:
        """The edges of a weight that take part."""
        if edges == "stored":
            return patterns.everything(weight.shape)
        active = self.liveness.can_be_nonzero(weight)
        return active if edges == "active" else active & self.liveness.used_part(weight)

    def results(self, op: Operation, edges: Edges) -> int:
        """Elements that an operation really has to compute."""
        output = op.outputs[0]
        if edges != "live":
            return output.numel
        shape = output.shape
        alive = self.liveness.alive(output)
        if op.name in ("add", "sub", "mul", "div", "rsub") and len(op.inputs) > 1:
            factors = op.inputs[:1] if op.name == "div" else op.inputs
            for value in factors:  # one operand that is always zero: nothing to compute
                alive = alive & patterns.pad_dims(self.liveness.can_be_nonzero(value), len(shape))
        return channels.count(alive, shape, self.axes[id(output)])
