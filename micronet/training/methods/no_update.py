"""DNW without its update rule: the largest weights are the edges, but only edges learn.

A baseline of Wortsman, Farhadi, Rastegari, "Discovering Neural Wirings", NeurIPS 2019, CIFAR-10
comparison (allenai/dnw, apps/medium_scale/mobilenetv1_dnw_no_update_x225.yml). The choice is made
anew at every step, as in DNW, but an edge that is not in use gets no gradient: it only moves by the
momentum it has left and by weight decay, as in the release. The budget is exact at every step.

    micronet train mobilenetv1_cifar10_no_update --data cifar10    # paper: 86.7 ± 0.5
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from micronet.training.method import Method
from micronet.training.methods.shared import only_kept_learn

if TYPE_CHECKING:
    from micronet.training.method import Run


@dataclass(frozen=True)
class NoUpdate(Method):
    """No knobs but the budget, which the network or the recipe sets."""

    def begin(self, run: Run) -> None:
        """Every forward pass keeps the largest, and only these learn."""
        run.gates.follow_largest()
        only_kept_learn(run.gates)

    def resume(self, run: Run) -> None:
        """The same: the choice follows from the weights."""
        self.begin(run)
