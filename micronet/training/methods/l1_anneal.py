"""L1 + anneal: an L1 penalty draws a complete graph's edges to zero, and the smallest leave.

A baseline of Wortsman, Farhadi, Rastegari, "Discovering Neural Wirings", NeurIPS 2019, CIFAR-10
comparison; it is not in their release, and neither the penalty nor the course is known to us.
What is done here, of which the knobs' defaults are our assumption:

- The run begins with every legal edge. Until ``stop`` the number of edges of each group falls
  linearly, step by step, from all legal ones to the budget, rounded up.
- The edges of smallest magnitude leave, for good: weight and momentum become zero, and they get no
  gradient any more.
- Every edge that is left gets ``strength`` · sign(w) added to its gradient, which is the gradient
  of ``strength`` · Σ|w|, on top of the optimizer's weight decay.

The budget is exact from ``stop`` on; before that more edges are kept, by rule.

    micronet train mobilenetv1_cifar10_l1_anneal --data cifar10    # paper: 84.3 ± 0.6
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from micronet.training.method import Method
from micronet.training.methods.shared import keep_all, only_kept_learn, ramp_counts, still

if TYPE_CHECKING:
    from micronet.training.method import Run


@dataclass(frozen=True)
class L1Anneal(Method):
    """``strength`` of the penalty, loss per unit of |w|, 0 to 1; ``stop``, share of the run, 0 to 1."""

    strength: float = 1e-5
    stop: float = 0.75

    def begin(self, run: Run) -> None:
        """The complete graph."""
        keep_all(run.gates)
        self._anneal(run, 0)
        self.resume(run)

    def resume(self, run: Run) -> None:
        """Only edges that are there learn."""
        only_kept_learn(run.gates)

    @torch.no_grad()
    def after_backward(self, run: Run) -> None:
        """The penalty's gradient."""
        for member in run.gates:
            if member.weight.grad is not None:
                pull = member.weight.sign() * member.gate.kept
                member.weight.grad.add_(pull, alpha=self.strength)

    def after_step(self, run: Run) -> None:
        """The smallest leave."""
        self._anneal(run, run.now.step + 1)

    @torch.no_grad()
    def _anneal(self, run: Run, step: int) -> None:
        """Let go what is too much for the forward pass of ``step``."""
        last = round(self.stop * run.now.steps)
        counts = ramp_counts(run.gates, step, first=0, last=last, power=1)
        run.gates.choose_largest(counts, among_kept=True)
        for member in run.gates:
            member.weight.masked_fill_(~member.gate.kept, 0.0)
            still(run.optimizer, member, member.gate.kept)
