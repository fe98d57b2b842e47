"""What several methods do with edges: ramps, and edges exchanged for others.

Where edges are exchanged, one that is not kept holds nothing: its weight is zero, and with a
momentum of zero and no gradient SGD leaves it there.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

import torch

from micronet.training.methods.random_graph import draw
from micronet.wiring import keep_largest

if TYPE_CHECKING:
    from torch import Tensor

    from micronet.training.gates import Gated, Gates
    from micronet.training.method import Moment, Run


def only_kept_learn(gates: Gates) -> None:
    """From now on edges that are not kept get no gradient."""
    for member in gates:
        member.gate.all_learn = False


@torch.no_grad()
def keep_all(gates: Gates) -> None:
    """The complete graph: every legal edge is kept."""
    for member in gates:
        legal = member.gate.legal
        member.gate.kept.fill_(value=True) if legal is None else member.gate.kept.copy_(legal)


def ramp_counts(gates: Gates, step: int, *, first: int, last: int, power: int) -> list[int]:
    """Edges that each group keeps in the forward pass of ``step``.

    All legal ones until step ``first``, its budget from step ``last`` on, and in between
    budget + (legal - budget) · ((last - step) / (last - first)) ** power, rounded up.
    """
    if step >= last:
        left = Fraction(0)
    else:
        left = Fraction(last - step, last - first) if step > first else Fraction(1)
    counts = []
    for group in gates.groups:
        legal = sum(member.legal_entries for member in group.members)
        counts.append(group.budget + ceil((legal - group.budget) * left**power))
    return counts


def is_turn(now: Moment, share: float) -> bool:
    """Whether this step is the one that begins the rest of the run after its first ``share``."""
    return now.step == min(round(share * now.steps), now.steps - 1)


@torch.no_grad()
def begin_random(run: Run) -> None:
    """A random graph, whose other entries hold zero."""
    draw(run.gates, run.generator)
    for member in run.gates:
        member.weight.masked_fill_(~member.gate.kept, 0.0)


def between_epochs(now: Moment) -> bool:
    """Whether this step is the last of an epoch, but not of the run."""
    return (now.step + 1) % now.steps_per_epoch == 0 and now.step + 1 < now.steps


@torch.no_grad()
def staying(member: Gated, leaving: int) -> Tensor:
    """Mask of the kept edges without the ``leaving`` of smallest magnitude."""
    kept = member.gate.kept
    return keep_largest(member.weight, int(kept.sum()) - leaving, kept)


@torch.no_grad()
def grown(member: Gated, scores: Tensor, count: int, stay: Tensor) -> Tensor:
    """Mask of the ``count`` legal edges of largest |score| that are not in ``stay``."""
    legal = member.gate.legal
    return keep_largest(scores, count, ~stay if legal is None else legal & ~stay)


@torch.no_grad()
def exchange(member: Gated, kept: Tensor) -> Tensor:
    """Keep ``kept`` from now on; the mask of those that were there before.

    All others hold zero: those that are gone, and those that are new.
    """
    before = kept & member.gate.kept
    member.weight.masked_fill_(~before, 0.0)
    member.gate.kept.copy_(kept)
    return before


def momentum_of(optimizer: torch.optim.Optimizer, member: Gated) -> Tensor | None:
    """SGD's momentum of a weight, if it has one yet."""
    found: Tensor | None = optimizer.state.get(member.weight, {}).get("momentum_buffer")
    return found


@torch.no_grad()
def still(optimizer: torch.optim.Optimizer, member: Gated, moving: Tensor) -> None:
    """Take the momentum from all entries but ``moving``."""
    momentum = momentum_of(optimizer, member)
    if momentum is not None:
        momentum.masked_fill_(~moving, 0.0)
