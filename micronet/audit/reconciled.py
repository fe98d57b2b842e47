"""One number by hand: every dialect that gives it, else the ways to count that would."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from micronet.audit.entry import Declared
from micronet.audit.reconcile import (
    LIKELY_CHANCE,
    Match,
    far_fetched,
    of_base,
    plain_matches,
    plausible,
    ways,
    with_scores,
)
from micronet.audit.suspected import suspected
from micronet.scoring.printed import exact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from micronet.audit.evidence import Count, Evidence
    from micronet.scoring.printed import Printed

SCHEMA: Final = "micronet.reconcile/1"
_MOST: Final = 4
_POPULAR: Final = 1  # as far-fetched as a tool's number, no more
_CHALLENGE: Final = 2  # as a number of the challenge, no more


@dataclass(frozen=True)
class Reconciled:
    """What a number may be.

    ``matches``: the dialects that give it as they are. Where none does: ``explanations``, with
    something added or left out, and ``coincidences``, which fit but may do so by accident;
    ``nearest`` are the dialects' numbers around it.
    """

    stated: str
    printed: Printed
    target: Mapping[str, Any]
    matches: tuple[Match, ...]
    explanations: tuple[Match, ...] = ()
    coincidences: tuple[Match, ...] = ()
    nearest: tuple[Count, ...] = ()

    @property
    def found(self) -> bool:
        """Whether some way to count gives the number, and hardly by accident."""
        return bool(self.matches or self.explanations)

    def document(self) -> dict[str, Any]:
        """The ``micronet.reconcile/1`` document (``reconcile.schema.json``)."""
        return {
            "schema": SCHEMA,
            "stated": self.stated,
            "found": self.found,
            "target": dict(self.target),
            "matches": self._rows(self.matches),
            "explanations": self._rows(self.explanations),
            "coincidences": self._rows(self.coincidences),
            "nearest": [_count(count) for count in self.nearest],
        }

    def _rows(self, matches: Iterable[Match]) -> list[dict[str, Any]]:
        return [
            {
                **_count(match.count),
                "steps": [{"name": s.what, "change": exact(s.change)} for s in match.steps],
                "gives": exact(match.number),
                "fits": match.printed_by(self.printed),
                "expected_by_chance": float(match.chance),
            }
            for match in matches
        ]


def _count(count: Count) -> dict[str, Any]:
    formula = [
        {"term": term.name, "times": exact(term.times), "count": exact(Fraction(term.count))}
        for term in count.formula
    ]
    return {
        "dialect": count.dialect,
        "quantity": count.quantity,
        "number": exact(count.number),
        "formula": formula,
    }


def reconcile(
    stated: str, printed: Printed, evidence: Evidence, quantity: str | None
) -> Reconciled:
    """Hold ``stated``, above 0, against every number of the evidence.

    ``quantity`` narrows the search. If the papers' way or a popular tool gives the number, then
    nothing else is named.
    """
    counts = [c for c in with_scores(evidence) if quantity in (None, c.quantity)]
    fitting = plain_matches(printed, counts, quantity)
    matches = plausible(printed, fitting)
    if any(far_fetched(match.count) <= _POPULAR for match in matches):
        matches = [match for match in matches if far_fetched(match.count) <= _POPULAR]
    if matches:
        return Reconciled(stated, printed, evidence.target, tuple(matches))
    bases = counts if quantity else [c for c in counts if far_fetched(c) <= _CHALLENGE]
    found = sorted([*fitting, *_ways(printed, bases, evidence)], key=_far_fetched)
    perhaps = [match for match in found if not _convincing(match) and len(match.steps) < 2]
    return Reconciled(
        stated,
        printed,
        evidence.target,
        (),
        tuple(match for match in found if _convincing(match))[:_MOST],
        tuple(perhaps[:_MOST]),
        tuple(_around(printed, bases)),
    )


def _far_fetched(match: Match) -> tuple[int, int, Fraction]:
    """A mistake in the papers' way is likelier than an exotic way without one.

    Then the plainest dialect, which has the shortest name, and the least change.
    """
    oddities = far_fetched(match.count) + len(match.steps)
    return oddities, len(match.count.dialect), abs(match.number - match.count.number)


def _convincing(match: Match) -> bool:
    """Whether the digits prove it; ten times as many accidents must be ruled out for each oddity.

    The first mistake is for free: something must be odd where no dialect gives the number.
    """
    oddities = max(far_fetched(match.count) + len(match.steps) - 1, 0)
    return bool(match.chance * 10**oddities < LIKELY_CHANCE)


def _ways(printed: Printed, counts: Sequence[Count], evidence: Evidence) -> list[Match]:
    """What would have to be added or left out; none that is a dialect of its own."""
    more = suspected(evidence, Declared())
    plain = {(count.quantity, count.number) for count in counts}
    found: dict[tuple[str, Fraction], Match] = {}
    tried = ways(printed, [(base, of_base(base, evidence, more)) for base in counts])
    for match in sorted(tried, key=_far_fetched):
        key = (match.count.quantity, match.number)
        if key not in plain:
            found.setdefault(key, match)
    return list(found.values())


def _around(printed: Printed, counts: Sequence[Count]) -> list[Count]:
    """The numbers of the same size, the nearest first; else the nearest of all."""
    sizes = sorted(
        (max(c.number / printed.number, printed.number / c.number), at)
        for at, c in enumerate(counts)
        if c.number
    )
    near = [counts[at] for size, at in sizes if size <= 2]
    return near[:_MOST] or [counts[at] for _, at in sizes[:2]]
