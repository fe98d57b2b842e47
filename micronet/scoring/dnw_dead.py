"""What a claim about a wiring that was never released implies: how much of it must have died.

DNW's code counts stem channels and nodes only while they have an edge to somewhere; training with
weight decay takes those edges away. The edges themselves are a fixed budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from micronet.scoring.dnw_formulas import stem_and_nodes
from micronet.scoring.printed import printed

if TYPE_CHECKING:
    from micronet.scoring.dnw_formulas import ReleaseCount


@dataclass(frozen=True)
class Share:
    """Between ``least`` and ``most`` of ``of`` would have to be dead."""

    claimed: str
    found: int
    of: int
    least: int
    most: int

    @property
    def possible(self) -> bool:
        """Whether any number of dead nodes explains the claim."""
        return self.least <= self.most

    def __str__(self) -> str:
        of = f"{self.of:,} of stem and nodes"
        if not self.possible:
            return f"no dead part of the {of}"
        if (self.least, self.most) == (0, self.of):
            return f"any part of the {of} dead"
        share = f"{100 * self.least / self.of:.1f} to {100 * self.most / self.of:.1f} %"
        return f"{self.least:,} to {self.most:,} of the {of} dead ({share})"


@dataclass(frozen=True)
class WouldBeDead:
    """What must be dead for the claimed multiply-accumulates, and for the claimed parameters."""

    macs: Share
    parameters: Share

    def sentence(self) -> str:
        """One line for a table."""
        return f"{'; '.join(self.sentences().values())}."

    def sentences(self) -> dict[str, str]:
        """What each of the two quantities means, in words."""
        both = {"macs": ("multiply-accumulates", self.macs), "parameters": ("", self.parameters)}
        return {
            quantity: f"{each.claimed} of {each.found:,} {name or quantity} means {each}"
            for quantity, (name, each) in both.items()
        }


def would_be_dead(count: ReleaseCount, claimed_macs: str, claimed_parameters: str) -> WouldBeDead:
    """Compare claims as printed ("582M", "4.2M") with the count of a wiring.

    A range covers every number that prints so, be it rounded or cut off. Outputs of the last graph,
    and so the pool and a dense classifier, are taken to be as alive as in ``count``.
    """
    macs, parameters = stem_and_nodes(count)
    return WouldBeDead(
        _share(claimed_macs, count.macs, macs),
        _share(claimed_parameters, count.parameters, parameters),
    )


def _share(claimed: str, found: int, of: int) -> Share:
    number = printed(claimed)
    lowest = ceil(number.number - number.last_digit / 2)  # rounded up to the claim
    highest = ceil(number.number + number.last_digit) - 1  # cut off to the claim
    return Share(claimed, found, of, max(found - highest, 0), min(found - lowest, of))
