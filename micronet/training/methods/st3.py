"""ST-3: straight-through gradients, soft thresholds, and a cubic ramp.

Vanderschueren, De Vleeschouwer, "Are Straight-Through gradients and Soft-Thresholding all you need
for Sparse Training?", WACV 2023, arXiv 2212.01076 (vanderschuea/stthree). The largest weights are
kept, as in DNW, and every legal edge learns as if its weight were used as it is. But

- the number of edges falls from all legal ones at ``start`` to the budget at ``stop``:
  budget + (legal - budget) · (1 - x)³, x from 0 to 1 between them;
- an edge is used as w - τ · sign(w), where τ is the largest magnitude of its group that is not
  kept, so that edges come and go through zero. (Where the smallest kept magnitude equals it, τ is
  the next number below: a kept edge is never zero. The authors interpolate between the two);
- with ``rescale`` each row is multiplied by 1.01 / (r + 0.01), where r is the share of the row's
  Σ|w| that is in its kept edges.

The authors' config for CIFAR-10 ramps from epoch 5 to 80 of 160, that for ImageNet from 5 to 50 of
100; then they freeze the weights as used, and tune batch norms for ten epochs, which is not done
here. At the end of our run the weights as used become the weights.

More than the budget is kept until ``stop``, by rule; exactly the budget from there on.

    micronet train mobilenetv1_cifar10_st3 --data cifar10    # nothing published for this wiring

Published: ResNet-50, ImageNet, one budget for all layers: 20 % kept 76.95, 10 % 76.03, 5 % 74.46.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

import torch

from micronet.training.method import Method
from micronet.training.methods.shared import keep_all, ramp_counts

if TYPE_CHECKING:
    from torch import Tensor

    from micronet.training.gates import Gated, Group
    from micronet.training.method import Run

_TINY: Final = 1e-6  # as in the authors' code: no row is divided by zero


@dataclass(frozen=True)
class ST3(Method):
    """``start`` and ``stop`` of the ramp, shares of the run, 0 to 1; ``rescale`` rows or not."""

    start: float = 0.03125
    stop: float = 0.5
    rescale: bool = True

    def begin(self, run: Run) -> None:
        """The complete graph, unless the ramp is over at once."""
        keep_all(run.gates)
        self._choose(run, 0)

    def resume(self, run: Run) -> None:
        """The thresholds and factors follow from the weights and from what is kept."""
        for group in run.gates.groups:
            self._soften(group)

    def after_step(self, run: Run) -> None:
        """What the next forward pass keeps, and how."""
        self._choose(run, run.now.step + 1)

    @torch.no_grad()
    def finish(self, run: Run) -> None:
        """The weights become what is used of them, so that a plain network holds the same."""
        for member in run.gates:
            member.weight.copy_(member.used)
            member.gate.shrink, member.gate.gain = 0.0, 1.0

    def _choose(self, run: Run, step: int) -> None:
        first, last = (round(share * run.now.steps) for share in (self.start, self.stop))
        counts = ramp_counts(run.gates, step, first=first, last=last, power=3)
        run.gates.choose_largest(counts)
        self.resume(run)

    @torch.no_grad()
    def _soften(self, group: Group) -> None:
        tau = threshold(group)
        for member in group.members:
            member.gate.shrink = tau
            member.gate.gain = _row_gain(member) if self.rescale and tau else 1.0


@torch.no_grad()
def threshold(group: Group) -> float:
    """τ: the largest legal magnitude that is not kept, always below the smallest that is."""
    tau, smallest = 0.0, inf
    for member in group.members:
        size, kept = member.weight.abs(), member.gate.kept
        tau = max(tau, float((size * (_legal(member) & ~kept)).max()))
        smallest = min(smallest, float(size.masked_fill(~kept, inf).min()))
    if tau < smallest:
        return tau
    edge = torch.tensor(smallest, dtype=group.members[0].weight.dtype)
    return float(edge.nextafter(torch.zeros_like(edge)))


def _row_gain(member: Gated) -> Tensor:
    """[rows, 1, …]: what each row of a weight is multiplied by."""
    sizes = member.weight.detach().abs() * _legal(member)
    across = tuple(range(1, sizes.dim()))
    kept = (sizes * member.gate.kept).mean(across, keepdim=True) + _TINY
    return 1.01 / (kept / (sizes.mean(across, keepdim=True) + _TINY) + 0.01)


def _legal(member: Gated) -> Tensor:
    legal = member.gate.legal
    return torch.ones_like(member.gate.kept) if legal is None else legal
