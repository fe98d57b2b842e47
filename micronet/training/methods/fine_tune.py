"""Fine-tuning: train the complete graph, keep the largest weights, train on.

A baseline of Wortsman, Farhadi, Rastegari, "Discovering Neural Wirings", NeurIPS 2019, CIFAR-10
comparison (allenai/dnw, apps/medium_scale/mobilenetv1_complete_graph.yml, then
mobilenetv1_ft_x225.yml). The first part of the run trains every legal edge; then the largest are
chosen once and held, all weights go on as they are, and the optimizer starts anew, without
momentum. The learning rate of the second part is the recipe's business (``cycle_rates``). In the
release each part is a run of 160 epochs of its own.

All legal edges are kept in the first part, by rule; the budget is exact in the second.

    micronet train mobilenetv1_cifar10_fine_tune --data cifar10
    # paper, second part from 0.1 / 0.01 / 0.001: 89.4 ± 0.2 / 89.7 ± 0.1 / 88.7 ± 0.2
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from micronet.training.method import Method
from micronet.training.methods.shared import is_turn, keep_all, only_kept_learn

if TYPE_CHECKING:
    from micronet.training.method import Run


@dataclass(frozen=True)
class FineTune(Method):
    """``turn``: share of the run, 0 to 1, after which the edges are chosen."""

    turn: float = 0.5

    def begin(self, run: Run) -> None:
        """The complete graph."""
        keep_all(run.gates)
        self.resume(run)

    def resume(self, run: Run) -> None:
        """Only edges that are there learn; in the first part these are all."""
        only_kept_learn(run.gates)

    def before_step(self, run: Run) -> None:
        """At the turn: the largest, and a new optimizer."""
        if is_turn(run.now, self.turn):
            run.gates.choose_largest()
            run.optimizer.state.clear()
