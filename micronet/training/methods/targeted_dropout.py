"""Targeted dropout: while training, most of the small weights are dropped, at random.

Gomez, Zhang, Kamalakara, Madaan, Swersky, Gal, Hinton, "Learning Sparse Networks Using Targeted
Dropout", 2019, arXiv 1905.13678, on single weights; as the baseline of Wortsman, Farhadi,
Rastegari, "Discovering Neural Wirings", NeurIPS 2019, CIFAR-10 comparison (allenai/dnw,
apps/medium_scale/mobilenetv1_td_x225.yml, ``rho: 0.95``). Everything that is not among the largest
is the target; at each step each target is dropped with probability ``rho``, on its own. What is
dropped gets no gradient. Unlike the release, which puts |w| in the place of w, weights keep their
signs.

Not exact while training: a forward pass keeps the budget, and of each group's other legal edges
1 - ``rho`` on average. Between steps, so in every evaluation, and at the end, the largest are kept
and the budget is exact.

    micronet train mobilenetv1_cifar10_targeted_dropout --data cifar10    # paper: 89.2 ± 0.4
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from micronet.training.method import Method
from micronet.training.methods.shared import only_kept_learn

if TYPE_CHECKING:
    from micronet.training.method import Run


@dataclass(frozen=True)
class TargetedDropout(Method):
    """``rho``: probability, 0 to 1, that a step drops an edge that is not among the largest."""

    rho: float = 0.95

    def begin(self, run: Run) -> None:
        """The largest."""
        run.gates.choose_largest()
        self.resume(run)

    def resume(self, run: Run) -> None:
        """Only edges that a step uses learn."""
        only_kept_learn(run.gates)

    @torch.no_grad()
    def before_step(self, run: Run) -> None:
        """Beside the largest, the targets that are lucky."""
        for member in run.gates:
            kept, legal = member.gate.kept, member.gate.legal
            lucky = torch.rand(kept.shape, generator=run.generator) >= self.rho
            lucky = lucky.to(kept.device)
            kept.logical_or_(lucky if legal is None else lucky & legal)

    def after_step(self, run: Run) -> None:
        """The largest, without luck."""
        run.gates.choose_largest()
