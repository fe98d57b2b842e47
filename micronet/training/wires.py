"""What the wiring looks like, in a few numbers: edges that came and went, nodes that are alive, τ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from micronet.training.gates import Gates, Group


@dataclass(frozen=True)
class Wires:
    """A wiring at one moment.

    ``kept`` edges, of which ``entered`` were not there at the moment before, while ``left`` are
    gone. ``alive``: targets (rows) that at least one edge reaches, of ``targets`` that may have
    one. ``thresholds``: τ of each group, the smallest magnitude among the weights it keeps; None
    where edges are held, whatever their weights.
    """

    kept: int
    entered: int
    left: int
    alive: int
    targets: int
    thresholds: tuple[float | None, ...]


def kept_now(gates: Gates) -> list[Tensor]:
    """Copies of every gate's ``kept``; where the largest are followed, they are chosen anew."""
    for member in gates:
        if member.gate.choose is not None:
            member.gate.choose()
    return [member.gate.kept.clone() for member in gates]


def watch_wires(gates: Gates, before: Sequence[Tensor]) -> Wires:
    """The wiring now, compared with the ``kept`` of ``before``."""
    entered = left = alive = targets = 0
    for member, old, kept in zip(gates, before, kept_now(gates), strict=True):
        entered += int((kept & ~old).sum())
        left += int((old & ~kept).sum())
        alive += int(kept.flatten(1).any(1).sum())
        legal = member.gate.legal
        targets += len(kept) if legal is None else int(legal.flatten(1).any(1).sum())
    thresholds = tuple(_threshold(group) for group in gates.groups)
    return Wires(gates.kept, entered, left, alive, targets, thresholds)


def _threshold(group: Group) -> float | None:
    """The smallest |weight| that the group keeps if it keeps the largest, else None."""
    if any(member.gate.choose is None for member in group.members):
        return None
    kept = [m.weight.detach()[m.gate.kept] for m in group.members]
    sizes = torch.cat(kept).abs()
    return float(sizes.min()) if sizes.numel() else None
