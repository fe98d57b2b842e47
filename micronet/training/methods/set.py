"""SET, sparse evolutionary training: each epoch the smallest edges make room for random ones.

Mocanu, Mocanu, Stone, Nguyen, Gibescu, Liotta, "Scalable training of artificial neural networks
with adaptive sparse connectivity inspired by network science", Nature Communications 9, 2018,
algorithm 1, ζ = 0.3. Edges begin as a random graph. After each epoch but the last every weight
loses ⌊ζ · edges⌋ of smallest magnitude, and as many legal edges that it has not are drawn
uniformly, those that just left included. New edges start at zero (as in the authors'
set_mlp_keras_cifar10.py), without momentum. The paper takes ζ of the positive and ζ of the
negative weights; here, as in RigL's comparison, both are ranked together.

The budget is exact at every step, of each group and of each weight in it.

    micronet train mobilenetv1_cifar10_set --data cifar10    # nothing published for this wiring
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from micronet.training.method import Method
from micronet.training.methods.shared import (
    begin_random,
    between_epochs,
    exchange,
    grown,
    only_kept_learn,
    staying,
    still,
)

if TYPE_CHECKING:
    from micronet.training.method import Run


@dataclass(frozen=True)
class SET(Method):
    """``zeta``: share of each weight's edges, 0 to 1, that an epoch exchanges."""

    zeta: float = 0.3

    def begin(self, run: Run) -> None:
        """A random graph."""
        begin_random(run)
        self.resume(run)

    def resume(self, run: Run) -> None:
        """Only edges that are there learn."""
        only_kept_learn(run.gates)

    def after_step(self, run: Run) -> None:
        """Between epochs: the smallest leave, random ones come."""
        if not between_epochs(run.now):
            return
        for member in run.gates:
            count = int(self.zeta * int(member.gate.kept.sum()))
            stay = staying(member, count)
            chance = torch.rand(stay.shape, generator=run.generator, dtype=torch.float64)
            kept = stay | grown(member, chance.to(stay.device), count, stay)
            still(run.optimizer, member, exchange(member, kept))
