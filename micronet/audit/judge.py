"""One claim against the evidence: does the number hold, in which dialect, and if not, why not."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from micronet.audit.evidence import MEAN
from micronet.audit.known import known_reason
from micronet.audit.quality import judge_quality
from micronet.audit.reconcile import (
    CHALLENGE,
    LIKELY_CHANCE,
    Match,
    conventional,
    explained,
    nearest,
    of_base,
    plain_matches,
    plausible,
    with_scores,
)
from micronet.audit.suspected import AS_DECLARED, AS_MEASURED, by_width, suspected
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
    counts = (*with_scores(evidence), *by_width(evidence, entry.declared))
    return Case(entry, evidence, counts, suspected(evidence, entry.declared))


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
    if others and (claim.dialect is None or others[0].count.dialect in CHALLENGE):
        return _elsewhere(claim, others)
    if any(match.count.dialect == AS_DECLARED for match in matches):
        why = f"{matches[0].count.dialect}: nobody measured the widths (--data DIR)"
        return Judged(claim, UNJUDGED, f"holds if they are as {why}", found=matches[0].number)
    return _does_not_hold(claim, right, others, case)


def _right(claim: StatedClaim, case: Case) -> tuple[str, ...]:
    """The dialects in which the claim simply holds."""
    named = (claim.dialect,) if claim.dialect is not None else conventional(claim.quantity)
    if case.entry.declared.freebie is False:
        named = tuple(_FULL_WIDTH if each == _PLAIN else each for each in named)
    if case.evidence.calibrated:  # the rules ask for the mean (Scoring §2)
        return tuple(f"{each}{MEAN}" for each in named)
    measured = any(count.dialect == AS_MEASURED for count in case.counts)
    if measured and claim.quantity == "operations":  # then the plain count takes inputs for 32 bits
        named = tuple(AS_MEASURED if each == _PLAIN else each for each in named)
    return named


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
    if others:  # it names a dialect, and is another's number
        steps = (Step(f"counted as {others[0].count.dialect}", others[0].number - base.number),)
        why = f"it is the number of {others[0].count.dialect}; {base.dialect} counts {shown(base.number)}"
        return Judged(claim, FAILS, why, base.dialect, base.number, steps)
    found = [explained(claim.printed, b, of_base(b, case.evidence, case.suspected)) for b in bases]
    ways = sorted((m for m in found if m is not None), key=lambda m: (len(m.steps), m.chance))
    perhaps = _perhaps(claim, ways)
    target = case.evidence.target
    if target["sparse"] and target["weights"] == "untrained":
        why = f"{base.dialect} counts {off(base, claim.printed)} with every edge alive, untrained"
        remark = f"; {case.evidence.remark}" if case.evidence.remark else perhaps
        return Judged(claim, UNJUDGED, why + remark, base.dialect, base.number)
    likely = [match for match in ways if match.chance < LIKELY_CHANCE]
    if likely:
        return _mistaken(claim, likely[0])
    known = known_reason(case.entry, claim)
    why = f"{base.dialect} counts {off(base, claim.printed)}"
    why += f": {known}" if known else f", and no known mistake explains it{perhaps}"
    return Judged(claim, FAILS, why, base.dialect, base.number)


def _bases(claim: StatedClaim, right: Sequence[str], case: Case) -> list[Count]:
    """The numbers that the claim should have been: its authors' own way first, then the nearest."""
    same = [count for count in case.counts if count.quantity == claim.quantity]
    own = [c for c in same if claim.dialect is None and c.dialect.endswith("dnw-release")]
    meant = [count for count in same if count.dialect in right]
    return [*own, *nearest(claim.printed, meant or same, claim.quantity)]


def _perhaps(claim: StatedClaim, ways: Sequence[Match]) -> str:
    """The simplest way that fits, where the printed digits cannot prove it."""
    if not ways or len(ways[0].steps) > 1:
        return ""
    way = ways[0]
    fits = f"{way.printed_by(claim.printed)} {claim.stated}"
    return f"; with {way.steps[0].what} it is {shown(way.number)}, which {fits}, perhaps by chance"


def _mistaken(claim: StatedClaim, match: Match) -> Judged:
    base = match.count
    steps = tuple(Step(step.what, step.change) for step in match.steps)
    said = " and ".join(step.what for step in match.steps)
    rest = claim.printed.number - match.number
    if rest:
        steps = (*steps, Step("the printed digits", rest))
    why = f"{base.dialect} counts {shown(base.number)}; with {said} it is {shown(match.number)}"
    return Judged(claim, FAILS, why, base.dialect, base.number, steps, match.steps)


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
