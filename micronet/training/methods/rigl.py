"""RigL, the rigged lottery: the smallest edges make room for those with the largest gradients.

Evci, Gale, Menick, Castro, Elsen, "Rigging the Lottery: Making All Tickets Winners", ICML 2020,
algorithm 1; α = 0.3, ΔT = 100 steps, until 75 % of the run. Edges begin as a random graph. Every
``delta_t`` steps t < T = ``stop`` · steps, the step of the edge weights is skipped; instead each
weight loses ⌊α/2 · (1 + cos(π t / T)) · edges⌋ of smallest magnitude, and as many legal edges that
it has not, those that just left included, come by the largest |gradient|. New edges start at zero,
without momentum; one that leaves and comes in the same moment stays as it was (as in
google-research/rigl). Budgets are the recipe's: the paper's are uniform, or "erk".

The budget is exact at every step, of each group and of each weight in it.

    micronet train mobilenetv1_cifar10_rigl --data cifar10    # nothing published for this wiring

Published: ResNet-50, ImageNet, 100 epochs: 20 % kept 74.6, 10 % kept 72.0 (uniform, first layer
dense); 75.1 and 73.1 (ERK).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import TYPE_CHECKING

from micronet.training.method import Method
from micronet.training.methods.shared import (
    begin_random,
    exchange,
    grown,
    only_kept_learn,
    staying,
    still,
)

if TYPE_CHECKING:
    from micronet.training.method import Moment, Run


@dataclass(frozen=True)
class RigL(Method):
    """``alpha``: share of the edges, 0 to 1, that the first exchange would take.

    ``delta_t``: steps from exchange to exchange; ``stop``: share of the run, 0 to 1, after which
    the edges stay.
    """

    alpha: float = 0.3
    delta_t: int = 100
    stop: float = 0.75

    def begin(self, run: Run) -> None:
        """A random graph."""
        begin_random(run)
        self.resume(run)

    def resume(self, run: Run) -> None:
        """Only edges that are there learn."""
        only_kept_learn(run.gates)

    def before_step(self, run: Run) -> None:
        """An exchange needs the gradients of all edges."""
        for member in run.gates:
            member.gate.all_learn = self._exchanges(run.now)

    def after_backward(self, run: Run) -> None:
        """Exchange edges instead of moving them."""
        if not self._exchanges(run.now):
            return
        share = self.alpha / 2 * (1 + cos(pi * run.now.step / (self.stop * run.now.steps)))
        for member in run.gates:
            gradient = member.weight.grad
            if gradient is not None:
                count = int(share * int(member.gate.kept.sum()))
                stay = staying(member, count)
                kept = stay | grown(member, gradient, count, stay)
                still(run.optimizer, member, exchange(member, kept))
                member.weight.grad = None
        self.resume(run)

    def _exchanges(self, now: Moment) -> bool:
        return now.step > 0 and now.step % self.delta_t == 0 and now.step < self.stop * now.steps
