"""Discovering Neural Wirings: the largest weights are the edges, chosen anew at every step.

Wortsman, Farhadi, Rastegari, "Discovering Neural Wirings", NeurIPS 2019, Algorithm 1. The forward
pass uses the k edges of largest magnitude; every legal edge, used or not, moves by
⟨Z of its source, -α ∂L/∂I of its target⟩, so an edge enters when it would have helped.

    micronet train tiny_static_dnw --data cifar10        # paper: 80.9 ± 0.6 after 160 epochs
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from micronet.training.method import Method

if TYPE_CHECKING:
    from micronet.training.method import Run


@dataclass(frozen=True)
class DNW(Method):
    """No knobs but the budget, which the network or the recipe sets."""

    def begin(self, run: Run) -> None:
        """Every forward pass keeps the largest."""
        run.gates.follow_largest()

    def resume(self, run: Run) -> None:
        """The same: the choice follows from the weights."""
        run.gates.follow_largest()
