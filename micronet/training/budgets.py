"""How many entries each weight of a network keeps: exact integers that add up.

Three ways to share: every layer keeps the same density; small layers keep more (ERK); or nobody
says, and all layers compete for one total (a single group: see `micronet.training.gates`).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor, prod
from typing import TYPE_CHECKING, Literal

from micronet.errors import MicronetError
from micronet.wiring import kept_edges

if TYPE_CHECKING:
    from collections.abc import Sequence

Budgets = Literal["layer", "erk", "global"]


@dataclass(frozen=True)
class Size:
    """One weight: its ``shape``, and how many of its entries may be kept at all."""

    shape: tuple[int, ...]
    entries: int


def layer_budgets(sizes: Sequence[Size], density: float) -> tuple[int, ...]:
    """The same share of each layer, rounded up as DNW's release does: `wiring.kept_edges`."""
    return tuple(kept_edges(size.entries, density) for size in sizes)


def total_budget(sizes: Sequence[Size], density: float) -> int:
    """The share of all entries together, rounded up once."""
    return kept_edges(sum(size.entries for size in sizes), density)


def erk_budgets(sizes: Sequence[Size], total: int) -> tuple[int, ...]:
    """``total`` entries shared out by Erdős-Rényi-kernel densities, exactly.

    A layer's density is in proportion to (sum of its dimensions) / (their product): Evci et al.,
    "Rigging the Lottery", ICML 2020, section 3.1. A layer that would exceed 1 is dense and the
    others share what is left, until none exceeds. Parts of an entry go to the largest remainders,
    the first layer among equal ones.
    """
    available = sum(size.entries for size in sizes)
    if not 0 <= total <= available:
        raise MicronetError(f"Cannot keep {total} of {available} edges.", "Change the budget.")
    shares = [Fraction(sum(size.shape) * size.entries, prod(size.shape) or 1) for size in sizes]
    full: set[int] = set()
    while True:
        rest = total - sum(sizes[i].entries for i in full)
        sparse = [i for i in range(len(sizes)) if i not in full]
        scale = Fraction(rest, 1) / (sum(shares[i] for i in sparse) or 1)
        over = {i for i in sparse if scale * shares[i] > sizes[i].entries}
        if not over:
            break
        full |= over
    exact = [
        Fraction(size.entries) if i in full else scale * shares[i] for i, size in enumerate(sizes)
    ]
    return _rounded(exact, total)


def _rounded(exact: Sequence[Fraction], total: int) -> tuple[int, ...]:
    """Whole numbers that add up to ``total``, by largest remainder."""
    whole = [floor(each) for each in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: whole[i] - exact[i])
    for i in by_remainder[: total - sum(whole)]:
        whole[i] += 1
    return tuple(whole)
