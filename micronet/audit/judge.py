"""One claim against the evidence: does the number hold, in which dialect, and if not, why not."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from micronet.audit.declared_widths import (
    AS_DECLARED,
    AS_MEASURED,
    Said,
    by_width,
    declared_inputs,
)
from micronet.audit.evidence import MEAN
from micronet.audit.known import known_reason
from micronet.audit.quality import judge_quality
from micronet.audit.reconcile import (
    CHALLENGE,
    LIKELY_CHANCE,
    Match,
    conventional,
    nearest,
    of_base,
    plain_matches,
    plausible,
    ways,
    with_scores,
)
from micronet.audit.suspected import suspected
from micronet.audit.table import of_the_table
from micronet.audit.verdict import ELSEWHERE, FAILS, HOLDS, UNJUDGED, Judged, Step
from micronet.audit.words import formula, off, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from micronet.audit.entry import Entry, StatedClaim
    from micronet.audit.evidence import Count, Deviation, Evidence

_BY_RECEIPT: Final = ("top1", "top5", "perplexity")
_PLAIN: Final = "micronet2019"
_FULL_WIDTH: Final = "micronet2019 without the 16-bit allowance"


@dataclass(frozen=True)
class Case:
    """Everything that the claims of one entry are judged by."""

    entry: Entry
    evidence: Evidence
    counts: tuple[Count, ...]
    suspected: tuple[Deviation, ...]


def case_of(entry: Entry, evidence: Evidence) -> Case:
    """The evidence with all that follows from what the entry says of itself."""
    counts = (*with_scores(evidence), *by_width(evidence, Said(entry.declared, entry.layers)))
    more = suspected(evidence, entry.declared, entry.layers)
    return Case(entry, evidence, counts, (*of_the_table(entry, evidence), *more))


def judge(claim: StatedClaim, case: Case, quality: Mapping[str, Any] | None) -> Judged:
    """The verdict on one claim; ``quality`` is that of an evaluation receipt, if there is one."""
    if claim.quantity in _BY_RECEIPT:
        return judge_quality(claim, case.evidence, quality)
    if claim.quantity == "sparsity":
        return _sparsity(claim, case.evidence)
    if not any(count.quantity == claim.quantity for count in case.counts):
        return Judged(claim, UNJUDGED, f"no dialect counts the {claim.quantity} of this network")
    right = _right(claim, case)
    matches = plain_matches(claim.printed, case.counts, claim.quantity)
    for match in matches:
        if match.count.dialect in right:
            return _holds(claim, match)
    others = [match for match in matches if match.count.dialect != AS_DECLARED]
    if claim.dialect is None:
        others = plausible(claim.printed, others)
    if others and (claim.dialect is None or _is_edition(others[0].count.dialect)):
        return _elsewhere(claim, others)
    unmeasured = [match for match in matches if match.count.dialect == AS_DECLARED]
    if unmeasured and case.evidence.activations is None:
        number = unmeasured[0].number
        why = f"{AS_DECLARED} counts {shown(number)}; nobody measured these widths (--data DIR)"
        return Judged(claim, UNJUDGED, why, found=number)
    return _does_not_hold(claim, right, others, case)


def _right(claim: StatedClaim, case: Case) -> tuple[str, ...]:
    """The dialects in which the claim simply holds."""
    named = (claim.dialect,) if claim.dialect is not None else conventional(claim.quantity)
    if case.evidence.calibrated:  # the rules ask for the mean (Scoring §2)
        return tuple(f"{each}{MEAN}" for each in named)
    counted = {count.dialect for count in case.counts if count.quantity == claim.quantity}
    if case.entry.declared.freebie is False and _FULL_WIDTH in counted:
        named = tuple(_FULL_WIDTH if each == _PLAIN else each for each in named)
    if AS_MEASURED in counted and _PLAIN in named:
        # The plain count takes every input for 32 bits, as one may who declares nothing narrower.
        declared = declared_inputs(case.evidence, Said(case.entry.declared, case.entry.layers))
        named = (*(each for each in named if each != _PLAIN or not declared), AS_MEASURED)
    return named


def _is_edition(dialect: str) -> bool:
    """Whether it is the challenge's book, if at its counter's prices or with no use of the allowance."""
    return dialect.startswith(CHALLENGE) and "," not in dialect


def _holds(claim: StatedClaim, match: Match) -> Judged:
    how = f"{match.count.dialect} counts {shown(match.number)}{_fit(claim, match)}"
    return Judged(claim, HOLDS, how, match.count.dialect, match.number)


def _elsewhere(claim: StatedClaim, matches: Sequence[Match]) -> Judged:
    first = matches[0]
    more = [match.count.dialect for match in matches[1:3]]
    also = f" (and so counts {' and '.join(more)})" if more else ""
    how = f"{first.count.dialect} counts {formula(first.count)}{_fit(claim, first)}{also}"
    return Judged(claim, ELSEWHERE, how, first.count.dialect, first.number)


def _fit(claim: StatedClaim, match: Match) -> str:
    how = match.printed_by(claim.printed)
    return "" if how == "is" else f", which {how} {claim.stated}"


def _does_not_hold(
    claim: StatedClaim, right: Sequence[str], others: Sequence[Match], case: Case
) -> Judged:
    bases = _bases(claim, right, case)
    base = bases[0]
    possible = [(each, of_base(each, case.evidence, case.suspected)) for each in bases]
    found = ways(claim.printed, possible)
    likely = [match for match in found if match.chance < LIKELY_CHANCE]
    if others and not (likely and len(likely[0].steps) == 1):  # it names a dialect, not its own
        return _counted_otherwise(claim, base, others[0])
    target = case.evidence.target
    if target["sparse"] and target["weights"] == "untrained":
        why = f"{base.dialect} counts {off(base, claim.printed)} with every edge alive, untrained"
        remark = (case.evidence.remarks or {}).get(claim.quantity)
        why += f"; {remark}" if remark else _perhaps(claim, found)
        return Judged(claim, UNJUDGED, why, base.dialect, base.number)
    if likely:
        return _mistaken(claim, likely[0], case)
    known = known_reason(case.entry, claim)
    why = f"{base.dialect} counts {off(base, claim.printed)}"
    why += f": {known}" if known else ", and no known mistake explains it" + _perhaps(claim, found)
    return Judged(claim, FAILS, why, base.dialect, base.number)


def _counted_otherwise(claim: StatedClaim, base: Count, match: Match) -> Judged:
    dialect = match.count.dialect
    steps = _to_the_digits(claim, base, [Step(f"counted as {dialect}", match.number - base.number)])
    why = f"it is the number of {dialect}; {base.dialect} counts {shown(base.number)}"
    return Judged(claim, FAILS, why, base.dialect, base.number, steps)


def _to_the_digits(claim: StatedClaim, base: Count, steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps, and what rounding adds, so that they lead from the count to the printed number."""
    rest = claim.printed.number - base.number - sum(step.change for step in steps)
    return (*steps, Step("the printed digits", rest)) if rest else tuple(steps)


def _bases(claim: StatedClaim, right: Sequence[str], case: Case) -> list[Count]:
    """The numbers that the claim should have been: its authors' own way first, then the nearest."""
    same = [count for count in case.counts if count.quantity == claim.quantity]
    own = [c for c in same if claim.dialect is None and c.dialect.endswith("dnw-release")]
    meant = [count for count in same if count.dialect in right]
    return [*own, *nearest(claim.printed, meant or same, claim.quantity)]


def _perhaps(claim: StatedClaim, found: Sequence[Match]) -> str:
    """The simplest way that fits, where the printed digits cannot prove it."""
    if not found or len(found[0].steps) > 1:
        return ""
    way = found[0]
    fits = f"{way.printed_by(claim.printed)} {claim.stated}"
    return f"; with {way.steps[0].what} it is {shown(way.number)}, which {fits}, perhaps by chance"


def _mistaken(claim: StatedClaim, match: Match, case: Case) -> Judged:
    base = match.count
    steps = _to_the_digits(claim, base, [Step(step.what, step.change) for step in match.steps])
    possible = of_base(base, case.evidence, case.suspected)
    said = " and ".join(_or_alike(step, possible) for step in match.steps)
    why = f"{base.dialect} counts {shown(base.number)}; with {said} it is {shown(match.number)}"
    return Judged(claim, FAILS, why, base.dialect, base.number, steps, match.steps)


def _or_alike(step: Deviation, possible: Sequence[Deviation]) -> str:
    """A step in words, with the other mistakes that would change the number by as much."""
    alike = dict.fromkeys(
        each.what
        for each in possible
        if (each.change, each.quantity) == (step.change, step.quantity)
        and (each.id, set(each.layers)) != (step.id, set(step.layers))
    )
    return f"{step.what} (or, as it is as much, {' or '.join(alike)})" if alike else step.what


def _sparsity(claim: StatedClaim, evidence: Evidence) -> Judged:
    """The share of zeros among all weights, stated as a share or in per cent."""
    rows = [row for row in evidence.layers if not row["shared"]]
    stored = sum(row["stored"] for row in rows)
    if not stored:
        return Judged(claim, UNJUDGED, "the network has no weights")
    zeros = Fraction(stored - sum(row["active"] for row in rows), stored)
    number = zeros if claim.printed.number <= 1 else 100 * zeros
    fits = claim.printed.reproduced_by(number)
    why = f"{float(100 * zeros):.4g} % of {stored:,} weights are zero"
    return Judged(claim, HOLDS if fits else FAILS, why, "measured", number)
