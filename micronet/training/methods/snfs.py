"""Sparse Networks From Scratch: edges go where the momentum is.

Dettmers, Zettlemoyer, "Sparse Networks from Scratch: Faster Training without Losing Performance",
2019, arXiv 1907.04840, sparse momentum (TimDettmers/sparse_learning; p = 0.5). Edges begin as a
random graph. After each epoch but the last

1. each weight's merit is the mean |momentum| of its edges;
2. each weight loses ⌈p · edges⌉ of smallest magnitude; p falls by a cosine over the run's steps to
   0.005, and a weight over 80 % full with more than the average merit loses no larger share of its
   edges than the share of its entries that is free;
3. what all weights of a group lost is shared out among them by merit (what one cannot take, the
   others take in equal parts; the authors' roundings drift, ours add up), and in each the legal
   edges come that have the largest |momentum|, those that just left included, at zero.

So every legal edge needs a gradient and a momentum at all times, but no weight: what is not kept
is put back to zero after each step. Edges move between weights of one group only: with
``budgets = "global"``, the paper's rule, among all; with "graph" each graph has its own.

The budget of each group is exact at every step. Needs SGD with momentum.

    micronet train mobilenetv1_cifar10_snfs --data cifar10    # nothing published for this wiring

Published: ResNet-50, ImageNet: 10 % kept 72.9, 20 % kept 74.9.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, cos, isfinite, pi
from typing import TYPE_CHECKING, Final

import torch

from micronet.errors import MicronetError
from micronet.training.method import Method
from micronet.training.methods.shared import (
    begin_random,
    between_epochs,
    exchange,
    grown,
    momentum_of,
    staying,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from micronet.training.gates import Gated, Group
    from micronet.training.method import Run

_LAST_RATE: Final = 0.005
_FULL: Final = 0.2  # share of free entries under which a growing weight counts as full


@dataclass(frozen=True)
class SNFS(Method):
    """``rate``: p before the first step, share of the edges that an epoch exchanges, 0.005 to 1."""

    rate: float = 0.5

    def begin(self, run: Run) -> None:
        """A random graph."""
        begin_random(run)
        self.resume(run)

    def resume(self, run: Run) -> None:
        """Every legal edge gets a gradient, for its momentum."""
        if not all(group.get("momentum") for group in run.optimizer.param_groups):
            raise MicronetError(
                "snfs grows edges by their momentum, and this optimizer has none.",
                "Set momentum above 0 in the recipe.",
            )

    @torch.no_grad()
    def after_step(self, run: Run) -> None:
        """What is not kept holds nothing; between epochs edges are exchanged."""
        for member in run.gates:
            member.weight.masked_fill_(~member.gate.kept, 0.0)
        if between_epochs(run.now):
            swing = (1 + cos(pi * (run.now.step + 1) / run.now.steps)) / 2
            for group in run.gates.groups:
                _exchange(run, group, _LAST_RATE + (self.rate - _LAST_RATE) * swing)


def _exchange(run: Run, group: Group, rate: float) -> None:
    momenta = [_momentum(run, member) for member in group.members]
    merits = _merits(group, momenta)
    edges = [int(member.gate.kept.sum()) for member in group.members]
    free = [m.legal_entries - count for m, count in zip(group.members, edges, strict=True)]
    lost = []
    for count, room, merit in zip(edges, free, merits, strict=True):
        empty = room / max(count + room, 1)
        full = empty < _FULL and merit * len(merits) > 1
        lost.append(ceil((min(empty, rate) if full else rate) * count))
    rooms = [room + count for room, count in zip(free, lost, strict=True)]
    gained = shared_out(sum(lost), merits, rooms)
    for member, momentum, out, back in zip(group.members, momenta, lost, gained, strict=True):
        stay = staying(member, out)
        exchange(member, stay | grown(member, momentum, back, stay))


def _momentum(run: Run, member: Gated) -> Tensor:
    found = momentum_of(run.optimizer, member)
    return torch.zeros_like(member.weight) if found is None else found


def _merits(group: Group, momenta: Sequence[Tensor]) -> list[Fraction]:
    """Mean |momentum| of each weight's edges, as shares of their sum; equal ones if all are zero."""
    means: list[float] = []
    for member, momentum in zip(group.members, momenta, strict=True):
        moving = momentum[member.gate.kept].abs()
        means.append(float(moving.mean()) if moving.numel() else 0.0)
    if not all(map(isfinite, means)):
        raise MicronetError("snfs: the momentum is not finite.", "Lower the learning rate.")
    total = sum(map(Fraction, means), Fraction(0))
    return [Fraction(mean) / total if total else Fraction(1, len(means)) for mean in means]


def shared_out(total: int, merits: Sequence[Fraction], rooms: Sequence[int]) -> list[int]:
    """``total`` by ``merits`` (which add up to 1), at most ``rooms`` each; adds up exactly.

    The rooms must have place for all. What does not fit is spread over the others in equal parts.
    Whole parts are given first, then one each by the largest fraction; the first of equal ones.
    """
    parts = [total * merit for merit in merits]
    limits = [Fraction(room) for room in rooms]
    while surplus := sum(map(_over, parts, limits), Fraction(0)):
        parts = list(map(min, parts, limits))
        open_ = [i for i, part in enumerate(parts) if part < limits[i]]
        for i in open_:
            parts[i] += surplus / len(open_)
    whole = [int(part) for part in parts]
    by_fraction = sorted(range(len(parts)), key=lambda i: whole[i] - parts[i])
    for i in by_fraction[: total - sum(whole)]:
        whole[i] += 1
    return whole


def _over(part: Fraction, limit: Fraction) -> Fraction:
    return max(part - limit, Fraction(0))
