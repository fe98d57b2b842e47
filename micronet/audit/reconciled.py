"""One number by hand: every dialect that gives it, else the ways to count that would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from micronet.audit.audit import json_number
from micronet.audit.entry import Declared
from micronet.audit.reconcile import (
    LIKELY_CHANCE,
    Match,
    explained,
    nearest,
    of_base,
    plain_matches,
    with_scores,
)
from micronet.audit.suspected import suspected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from micronet.audit.evidence import Count, Evidence
    from micronet.scoring.printed import Printed

SCHEMA: Final = "micronet.reconcile/1"
_NEAREST: Final = 4


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
    explanations: tuple[Match, ...]
    coincidences: tuple[Match, ...]
    nearest: tuple[Count, ...]

    def document(self) -> dict[str, Any]:
        """The ``micronet.reconcile/1`` document."""
        return {
            "schema": SCHEMA,
            "stated": self.stated,
            "target": dict(self.target),
            "matches": [self._row(match) for match in self.matches],
            "explanations": [self._row(match) for match in self.explanations],
            "coincidences": [self._row(match) for match in self.coincidences],
            "nearest": [_count(count) for count in self.nearest],
        }

    def _row(self, match: Match) -> dict[str, Any]:
        steps = [{"name": s.what, "change": json_number(s.change)} for s in match.steps]
        return {
            **_count(match.count),
            "steps": steps,
            "gives": json_number(match.number),
            "fits": match.printed_by(self.printed),
            "expected_by_chance": float(match.chance),
        }


def _count(count: Count) -> dict[str, Any]:
    formula = [
        {"term": term.name, "times": json_number(term.times), "count": term.count}
        for term in count.formula
    ]
    return {
        "dialect": count.dialect,
        "quantity": count.quantity,
        "number": json_number(count.number),
        "formula": formula,
    }


def reconcile(
    stated: str, printed: Printed, evidence: Evidence, quantity: str | None
) -> Reconciled:
    """Hold ``stated`` against every number of the evidence; ``quantity`` narrows the search."""
    counts = with_scores(evidence)
    matches = plain_matches(printed, counts, quantity)
    ways = [] if matches else _ways(printed, counts, evidence, quantity)
    return Reconciled(
        stated,
        printed,
        evidence.target,
        tuple(matches),
        tuple(way for way in ways if way.chance < LIKELY_CHANCE),
        tuple(way for way in ways if LIKELY_CHANCE <= way.chance < 1)[:_NEAREST],
        () if matches else tuple(nearest(printed, counts, quantity)[:_NEAREST]),
    )


def _ways(
    printed: Printed, counts: Sequence[Count], evidence: Evidence, quantity: str | None
) -> list[Match]:
    """What would have to be added or left out, the likeliest way first."""
    more = suspected(evidence, Declared())
    found: dict[tuple[str, ...], Match] = {}
    for base in counts:
        if quantity in (None, base.quantity):
            match = explained(printed, base, of_base(base, evidence, more))
            if match is not None:
                found.setdefault(tuple(step.what for step in match.steps), match)
    return sorted(found.values(), key=lambda match: (match.chance, len(match.steps)))
