"""What a method of finding edges is: the points at which the training loop asks it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from micronet.training.gates import Gates


@dataclass(frozen=True)
class Moment:
    """Where a run is: ``step`` of ``steps``, counted from 0, and how many make an epoch."""

    step: int
    steps: int
    steps_per_epoch: int

    @property
    def share(self) -> float:
        """How much of the run is over, 0 to 1."""
        return self.step / self.steps


@dataclass
class Run:
    """What a method may look at and change.

    ``memory`` is for what it learns on the way (momenta, first weights): tensors by name, stored
    with the run. All randomness comes from ``generator``, whose state is stored too. With several
    processes every one of them calls the method with the same gradients, weights and generator.
    """

    gates: Gates
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    now: Moment
    memory: dict[str, Tensor] = field(default_factory=dict)


class Method:
    """Chooses which edges are kept. Each method is a frozen dataclass of its knobs in ``methods/``."""

    def begin(self, run: Run) -> None:
        """Before the first step: the first choice of edges."""

    def resume(self, run: Run) -> None:
        """A stored run goes on: ``kept`` of every gate, ``memory`` and generator are as they were.

        What else ``begin`` and later steps set on the gates has to be set again.
        """

    def before_step(self, run: Run) -> None:
        """Before a forward pass."""

    def after_backward(self, run: Run) -> None:
        """The gradients are there, the weights have not moved yet."""

    def after_step(self, run: Run) -> None:
        """The weights have moved."""

    def finish(self, run: Run) -> None:
        """After the last step: the edges that the wiring is stored with."""

    def knobs(self) -> dict[str, Any]:
        """The knobs by name."""
        return dict(vars(self))
