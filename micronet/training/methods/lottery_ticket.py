"""The one-shot lottery ticket: train all, keep the largest, go back to the first weights.

Frankle, Carbin, "The Lottery Ticket Hypothesis", ICLR 2019, section 2, with one round of pruning;
as the baseline of Wortsman, Farhadi, Rastegari, "Discovering Neural Wirings", NeurIPS 2019,
CIFAR-10 comparison (allenai/dnw, apps/medium_scale/mobilenetv1_complete_graph.yml, then
mobilenetv1_lottery_one_shot_x225.yml). The first part of the run trains every legal edge; then the
largest are chosen once and held, every parameter that the optimizer trains (as in the release: not
the edges alone) is what it was before the first step, and the optimizer starts anew, without
momentum. Running statistics of norms are no parameters and go on. In the release each part is a
run of 160 epochs of its own, so a recipe begins its second cycle with the first rate.

All legal edges are kept in the first part, by rule; the budget is exact in the second.

    micronet train mobilenetv1_cifar10_lottery_ticket --data cifar10    # paper: 87.9 ± 0.3
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from micronet.training.method import Method
from micronet.training.methods.shared import is_turn, keep_all, only_kept_learn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from micronet.training.method import Run


@dataclass(frozen=True)
class LotteryTicket(Method):
    """``turn``: share of the run, 0 to 1, after which the edges are chosen."""

    turn: float = 0.5

    def begin(self, run: Run) -> None:
        """The complete graph, whose weights are remembered."""
        keep_all(run.gates)
        run.memory.update({name: p.detach().clone() for name, p in _parameters(run)})
        self.resume(run)

    def resume(self, run: Run) -> None:
        """Only edges that are there learn; in the first part these are all."""
        only_kept_learn(run.gates)

    @torch.no_grad()
    def before_step(self, run: Run) -> None:
        """At the turn: the largest, the first weights, and a new optimizer."""
        if is_turn(run.now, self.turn):
            run.gates.choose_largest()
            for name, parameter in _parameters(run):
                parameter.copy_(run.memory.pop(name))
            run.optimizer.state.clear()


def _parameters(run: Run) -> Iterator[tuple[str, Tensor]]:
    """Every parameter that is trained, by the name of its first value in the run's memory."""
    trained = (p for group in run.optimizer.param_groups for p in group["params"])
    return ((f"first.{number}", parameter) for number, parameter in enumerate(trained))
