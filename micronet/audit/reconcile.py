"""Which dialect a published number belongs to, and if none: what would have to be added or left out.

A number is printed to a few digits, so the more ways are tried the likelier one fits by chance.
Each match says how many accidental ones were to be expected among all that were tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING, Final

from micronet.audit.evidence import Count, Deviation, Evidence
from micronet.scoring.tracks import track as track_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from micronet.scoring.printed import Printed

MOST_STEPS: Final = 3
LIKELY_CHANCE: Final = Fraction(1, 20)
"""From so many accidental matches on, a match explains nothing."""

CHALLENGE: Final = ("micronet2019", "micronet2019-counter")
CONVENTIONS: Final = {
    "parameters": ("macs",),
    "macs": ("macs",),
    "operations": ("2 × macs", "micronet2019"),
}
"""What a number means where nobody says how it was counted: the papers' way."""


@dataclass(frozen=True)
class Match:
    """A way of counting that gives the printed digits."""

    count: Count
    steps: tuple[Deviation, ...] = ()
    chance: Fraction = Fraction(0)
    """How many ways that were tried would have fitted these digits by accident."""

    @property
    def number(self) -> Fraction:
        """What this way of counting gives, exactly."""
        return self.count.number + sum(step.change for step in self.steps)

    def printed_by(self, printed: Printed) -> str:
        """How the digits follow from the number: it "is" it, "rounds to" or "is truncated to" it."""
        if self.number == printed.number:
            return "is"
        return "rounds to" if printed.rounded_from(self.number) else "is truncated to"


def with_scores(evidence: Evidence) -> tuple[Count, ...]:
    """All counts, and the challenge's score wherever a dialect has both of its parts."""
    track = track_named(evidence.track)
    scores = [
        Count(dialect, "score", track.score(parameters, operations).total)
        for dialect in dict.fromkeys(count.dialect for count in evidence.counts)
        if (parameters := evidence.count(dialect, "parameters")) is not None
        and (operations := evidence.count(dialect, "operations")) is not None
    ]
    return (*evidence.counts, *scores)


def conventional(quantity: str) -> tuple[str, ...]:
    """The dialects that a claim means if it names none, the likeliest first."""
    return CONVENTIONS.get(quantity, CHALLENGE[:1])


def plausible(printed: Printed, matches: Sequence[Match]) -> list[Match]:
    """Matches that somebody may have meant who did not name the dialect.

    The challenge's own way counts in bits: nobody uses it without saying so, and two printed digits
    fit it by accident.
    """
    accident = chance(len(matches) + 1, printed) >= LIKELY_CHANCE
    return [m for m in matches if not (accident and m.count.dialect.startswith(CHALLENGE[0]))]


def plain_matches(printed: Printed, counts: Sequence[Count], quantity: str | None) -> list[Match]:
    """The dialects that print so, the conventional first; without ``quantity`` of any kind."""
    found = [
        Match(count)
        for count in counts
        if quantity in (None, count.quantity) and printed.reproduced_by(count.number)
    ]
    return sorted(found, key=lambda match: _rank(match, printed))


def _rank(match: Match, printed: Printed) -> tuple[bool, bool, int, bool]:
    """What papers state first, in the dialect that they mean, then what the digits fit best."""
    rare = match.count.quantity in ("multiplications", "additions", "bits")
    usual = match.count.dialect in conventional(match.count.quantity)
    fit = ("is", "rounds to", "is truncated to").index(match.printed_by(printed))
    return (rare, not usual, fit, match.count.dialect not in CHALLENGE)


def explained(
    printed: Printed, base: Count, deviations: Sequence[Deviation], most: int = MOST_STEPS
) -> Match | None:
    """The fewest deviations from ``base`` that give the printed digits; None if none do.

    Of several the first exact one, else the first, so ``deviations`` come the likeliest first. The
    match's ``chance`` counts everything that was tried up to its number of steps.
    """
    tried = 0
    for size in range(1, most + 1):
        fitting = []
        for steps in combinations(deviations, size):
            if not _compatible(steps):
                continue
            tried += 1
            if printed.reproduced_by(base.number + sum(step.change for step in steps)):
                fitting.append(Match(base, steps))
        if fitting:
            best = min(fitting, key=lambda match: match.number != printed.number)
            return Match(base, best.steps, chance(tried, printed))
    return None


def _compatible(steps: Sequence[Deviation]) -> bool:
    """Two mistakes of one kind exclude each other (no bitmask, and half a bitmask), unless free."""
    kinds = [step.id for step in steps if step.id not in ("free-operations", "folded-norms")]
    return len(kinds) == len(set(kinds))


def chance(tried: int, printed: Printed) -> Fraction:
    """Expected accidental matches: the ways tried, times the share of the line that prints so."""
    window = Fraction(3, 2) * printed.last_digit or Fraction(1)
    return tried * window / max(abs(printed.number), window)


def of_base(base: Count, evidence: Evidence, more: Sequence[Deviation]) -> tuple[Deviation, ...]:
    """The deviations that may be made in the count ``base``."""
    known = (*evidence.deviations, *more)
    same = [d for d in known if (d.dialect, d.quantity) == (base.dialect, base.quantity)]
    if base.quantity == "score":
        same = [d for d in known if d.dialect == base.dialect]
        return tuple(_as_scores(same, evidence))
    if base.quantity == "bits":
        same = [d for d in known if (d.dialect, d.quantity) == (base.dialect, "parameters")]
        return tuple(_scaled(d, Fraction(32), "bits") for d in same)
    return tuple(same)


def _as_scores(deviations: Sequence[Deviation], evidence: Evidence) -> Iterator[Deviation]:
    track = track_named(evidence.track)
    for each in deviations:
        if each.quantity == "parameters":
            yield _scaled(each, Fraction(1, track.baseline_parameters), "score")
        elif each.quantity == "operations":
            yield _scaled(each, Fraction(1, track.baseline_operations), "score")


def _scaled(deviation: Deviation, by: Fraction, quantity: str) -> Deviation:
    return Deviation(
        deviation.id,
        deviation.dialect,
        quantity,
        deviation.change * by,
        deviation.what,
        deviation.layers,
    )


def nearest(printed: Printed, counts: Sequence[Count], quantity: str | None) -> list[Count]:
    """The dialects' numbers, the nearest first."""
    same = [count for count in counts if quantity in (None, count.quantity)]
    return sorted(same, key=lambda count: abs(count.number - printed.number))
