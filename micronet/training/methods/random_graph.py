"""A random graph: edges drawn once, uniformly among the legal ones, and trained as they are.

The baseline of Wortsman, Farhadi, Rastegari, "Discovering Neural Wirings", NeurIPS 2019, Table 1.

    micronet train tiny_static_random --data cifar10     # paper: 76.1 ± 0.5 after 160 epochs
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from micronet.training.method import Method
from micronet.wiring import keep_largest

if TYPE_CHECKING:
    from micronet.training.gates import Gates
    from micronet.training.method import Run


@dataclass(frozen=True)
class RandomGraph(Method):
    """No knobs but the budget, which the network or the recipe sets."""

    def begin(self, run: Run) -> None:
        """Draw the edges."""
        draw(run.gates, run.generator)
        self.resume(run)

    def resume(self, run: Run) -> None:
        """Only edges that are there learn."""
        for member in run.gates:
            member.gate.all_learn = False


@torch.no_grad()
def draw(gates: Gates, generator: torch.Generator) -> None:
    """Keep a uniformly random choice of each group's legal entries, as many as its budget."""
    for group in gates.groups:
        sizes = [member.weight.numel() for member in group.members]
        scores = torch.rand(sum(sizes), generator=generator, dtype=torch.float64)
        legal = torch.cat(
            [
                torch.ones(size, dtype=torch.bool)
                if m.gate.legal is None
                else m.gate.legal.cpu().flatten()
                for m, size in zip(group.members, sizes, strict=True)
            ]
        )
        kept = keep_largest(scores, group.budget, legal)
        for member, part in zip(group.members, kept.split(sizes), strict=True):
            member.gate.kept.copy_(part.view_as(member.gate.kept))
