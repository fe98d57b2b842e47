"""Which dialect a published number belongs to, and if none: what would have to be added or left out.

A number is printed to a few digits, so the more ways are tried the likelier one fits by accident.
Each match says how many accidental ones were to be expected among all that were tried.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Final

from micronet.audit.evidence import Count, Deviation, Evidence, Term
from micronet.scoring.tracks import track_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from micronet.scoring.printed import Printed
    from micronet.scoring.tracks import Track

    Base = tuple[Count, Sequence[Deviation]]
    """A dialect's number, and what may have been counted wrongly in it."""

MOST_STEPS: Final = 3
MOST_TRIED: Final = 20_000
"""A base with more deviations than give so many combinations is searched for fewer steps."""
LIKELY_CHANCE: Final = Fraction(1, 20)
"""From so many accidental matches on, a match explains nothing."""

CHALLENGE: Final = ("micronet2019", "micronet2019-counter")
CONVENTIONS: Final = {
    "parameters": ("macs",),
    "macs": ("macs",),
    "operations": ("2 × macs", "micronet2019"),
}
"""What a number means where nobody says how it was counted: the papers' way."""
_RARE: Final = ("multiplications", "additions", "bits")
_MANY: Final = ("free-operations", "folded-norms")
"""Mistakes that are made for one kind of layer at a time, so that several may go together."""


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
    """All counts, and on a track the challenge's score wherever a dialect has both of its parts."""
    track = track_or_none(evidence.track)
    if track is None:
        return evidence.counts
    scores = [
        _score(dialect, track, parameters, operations)
        for dialect in dict.fromkeys(count.dialect for count in evidence.counts)
        if (parameters := _parameters(dialect, evidence)) is not None
        and (operations := evidence.count(dialect, "operations")) is not None
    ]
    return (*evidence.counts, *scores)


def _parameters(dialect: str, evidence: Evidence) -> Fraction | None:
    """A dialect's; its counter's prices are another edition of the challenge, not other storage."""
    own = evidence.count(dialect, "parameters")
    page = dialect.replace(CHALLENGE[1], CHALLENGE[0])
    return evidence.count(page, "parameters") if own is None else own


def _score(dialect: str, track: Track, parameters: Fraction, operations: Fraction) -> Count:
    storage = Term("parameters of 32 bits", Fraction(1, track.baseline_parameters), parameters)
    math = Term("operations", Fraction(1, track.baseline_operations), operations)
    total = track.score(parameters, operations).total
    return Count(dialect, "score", total, (storage, math))


def conventional(quantity: str) -> tuple[str, ...]:
    """The dialects that a claim means if it names none, the likeliest first."""
    return CONVENTIONS.get(quantity, CHALLENGE[:1])


def far_fetched(count: Count) -> int:
    """How unlikely it is that somebody prints this count and does not say how it was counted.

    0: it is the papers' way. 1: a popular tool's. 2: the challenge's, with storage in bits and
    operations weighed by theirs. 3: only a part of it.
    """
    if count.quantity in _RARE:
        return 3
    if count.dialect.startswith(CHALLENGE[0]) and count.quantity != "score":
        return 2
    return 0 if count.dialect in conventional(count.quantity) else 1


def plausible(printed: Printed, matches: Sequence[Match]) -> list[Match]:
    """Matches that somebody may have meant who did not name the dialect.

    Two printed digits fit some number of the challenge's by accident.
    """
    del printed
    return [m for m in matches if far_fetched(m.count) < 2 or m.chance < LIKELY_CHANCE]


def plain_matches(printed: Printed, counts: Sequence[Count], quantity: str | None) -> list[Match]:
    """The dialects that print so, the conventional first; without ``quantity`` of any kind.

    A match's ``chance`` is among all numbers that are no more far-fetched.
    """
    same = [count for count in counts if quantity in (None, count.quantity)]
    found = []
    for count in same:
        if printed.reproduced_by(count.number):
            nearer = {c.number for c in same if far_fetched(c) <= far_fetched(count)}
            found.append(Match(count, (), chance(nearer, printed)))
    return sorted(found, key=lambda match: _rank(match, printed))


def _rank(match: Match, printed: Printed) -> tuple[bool, bool, int, bool]:
    """What papers state first, in the dialect that they mean, then what the digits fit best."""
    usual = match.count.dialect in conventional(match.count.quantity)
    fit = ("is", "rounds to", "is truncated to").index(match.printed_by(printed))
    rare = match.count.quantity in _RARE
    return (rare, not usual, fit, match.count.dialect not in CHALLENGE)


def ways(printed: Printed, bases: Sequence[Base]) -> list[Match]:
    """For each base the fewest deviations that give the printed digits, the fewest of all first.

    Of several for one base the first exact one, else the first: deviations come the likeliest first.
    A match's ``chance`` counts everything that was tried for any base, up to its number of steps.
    The search ends where accidental matches are to be expected, and never tries more than
    ``MOST_TRIED`` combinations of one size for a base.
    """
    found: dict[int, Match] = {}
    tried: list[float] = []
    wanted = float(printed.number)
    close = 2 * float(_window(printed)) + 1e-9 * wanted
    for size in range(1, MOST_STEPS + 1):
        if size > 1 and chance(tried, printed) >= 1:
            break
        fitting: dict[int, Match] = {}
        for index, (base, deviations) in enumerate(bases):
            if index in found or comb(len(deviations), size) > MOST_TRIED:
                continue
            for about, match in _combined(base, deviations, size):
                tried.append(about)
                if abs(about - wanted) > close:
                    continue  # so far off that no exact sum is needed
                exact = match.number == printed.number
                first = index not in fitting or fitting[index].number != printed.number
                if exact and first:
                    fitting[index] = match
                elif printed.reproduced_by(match.number):
                    fitting.setdefault(index, match)
        for index, match in fitting.items():
            found[index] = replace(match, chance=_expected(match, tried, printed))
    return sorted(found.values(), key=lambda match: (len(match.steps), match.chance))


def _combined(
    base: Count, deviations: Sequence[Deviation], size: int
) -> Iterator[tuple[float, Match]]:
    """(about what it gives, a way) for every set of ``size`` deviations that go together."""
    start = float(base.number)
    changes = {id(each): float(each.change) for each in deviations}
    for steps in combinations(deviations, size):
        if _compatible(steps):
            yield start + sum(changes[id(step)] for step in steps), Match(base, steps)


def _compatible(steps: Sequence[Deviation]) -> bool:
    """Two mistakes of one kind exclude each other (no bitmask, and half a bitmask).

    Not those of single kinds of layers, unless one leaves out what the other puts in.
    """
    for one, other in combinations(steps, 2):
        if (one.id, one.quantity) == (other.id, other.quantity) and not (
            one.id in _MANY and one.change * other.change > 0
        ):
            return False
    return True


def chance(tried: Iterable[float | Fraction], printed: Printed) -> Fraction:
    """Expected accidental matches, if the numbers that were tried lie around without any order.

    Those from half the printed number to its double are taken for spread evenly over that stretch.
    """
    half, double = printed.number / 2, printed.number * 2
    low, high = float(half), float(double)
    near = sum(low <= number <= high for number in tried)
    window = _window(printed)
    return near * window / max(double - half, window)


def _window(printed: Printed) -> Fraction:
    """How much of the line prints so: half a digit below, by rounding, to a digit above, cut off."""
    return Fraction(3, 2) * printed.last_digit or Fraction(1, printed.number.denominator)


def _expected(match: Match, tried: Sequence[float], printed: Printed) -> Fraction:
    """The same, but not less than where the numbers that were tried crowd around the printed one.

    Most deviations are small, so numbers close to a dialect's are hit more often than others: the
    crowd is what came as close to the number as the base is, or closer.
    """
    gap = abs(match.count.number - printed.number)
    everywhere = chance(tried, printed)
    if not gap:
        return everywhere
    centre, reach = float(printed.number), float(gap)
    crowd = sum(abs(number - centre) <= reach for number in tried)
    return max(everywhere, crowd * _window(printed) / (2 * gap))


def of_base(base: Count, evidence: Evidence, more: Sequence[Deviation]) -> tuple[Deviation, ...]:
    """The deviations that may be made in the count ``base``, in its unit.

    Those of a score keep the quantity that they are made in: one of storage and one of operations
    go together.
    """
    same = [d for d in (*evidence.deviations, *more) if d.dialect == base.dialect]
    units = _units(base.quantity, track_or_none(evidence.track))
    return tuple(
        replace(d, change=d.change * units[d.quantity]) for d in same if d.quantity in units
    )


def _units(quantity: str, track: Track | None) -> Mapping[str, Fraction]:
    """What a unit of each quantity is worth in ``quantity``."""
    if quantity == "bits":
        return {"parameters": Fraction(32)}
    if quantity != "score":
        return {quantity: Fraction(1)}
    if track is None:
        return {}
    return {
        "parameters": Fraction(1, track.baseline_parameters),
        "operations": Fraction(1, track.baseline_operations),
    }


def nearest(printed: Printed, counts: Sequence[Count], quantity: str | None) -> list[Count]:
    """The dialects' numbers, the nearest first."""
    same = [count for count in counts if quantity in (None, count.quantity)]
    return sorted(same, key=lambda count: abs(count.number - printed.number))
