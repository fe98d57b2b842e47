"""What an audit says of one claim, and of an entry as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    from micronet.audit.entry import StatedClaim
    from micronet.audit.evidence import Deviation

Verdict = Literal["holds", "holds in another dialect", "fails", "unjudged"]
HOLDS: Final = "holds"
ELSEWHERE: Final = "holds in another dialect"
FAILS: Final = "fails"
UNJUDGED: Final = "unjudged"


@dataclass(frozen=True)
class Step:
    """One difference between the recount and the claim: what it is, and by how much."""

    name: str
    change: Fraction


@dataclass(frozen=True)
class Judged:
    """A claim and its verdict.

    ``found`` is the number of ``dialect`` that the claim was held against. ``steps`` lead from it to
    the claim where it fails, and ``mistakes`` are the deviations that these steps are.
    """

    claim: StatedClaim
    verdict: Verdict
    explanation: str
    dialect: str | None = None
    found: Fraction | None = None
    steps: tuple[Step, ...] = ()
    mistakes: tuple[Deviation, ...] = ()


def overall(verdicts: Iterable[Verdict], *, findings: bool) -> Verdict:
    """The verdict on an entry: the worst of its claims, but for those that nobody could judge."""
    found = set(verdicts)
    if findings or FAILS in found:
        return FAILS
    if ELSEWHERE in found:
        return ELSEWHERE
    return HOLDS if HOLDS in found else UNJUDGED
