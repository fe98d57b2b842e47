"""Claims about accuracy: they hold by the receipt of an evaluation, or cannot be judged."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from micronet.audit.verdict import FAILS, HOLDS, UNJUDGED, Judged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from micronet.audit.entry import StatedClaim
    from micronet.audit.evidence import Evidence


def judge_quality(
    claim: StatedClaim, evidence: Evidence, quality: Mapping[str, Any] | None
) -> Judged:
    """The verdict on a claimed accuracy or perplexity, by ``quality`` of an evaluation receipt."""
    if quality is None:
        return Judged(claim, UNJUDGED, _unmeasured(evidence))
    if quality["metric"] != claim.quantity:
        why = f"{quality['receipt']} measures {quality['metric']}, not {claim.quantity}"
        return Judged(claim, UNJUDGED, why)
    if not quality["whole"]:
        why = f"measured on a part only: {_measured(quality)} ({quality['receipt']})"
        return Judged(claim, UNJUDGED, why)
    if claim.printed.spread is not None:
        why = f"a mean of several runs, which one network cannot tell: {_measured(quality)}"
        return Judged(claim, UNJUDGED, f"{why} ({quality['receipt']})")
    found = _found(quality)
    fits = claim.printed.reproduced_by(found)
    return Judged(
        claim,
        HOLDS if fits else FAILS,
        f"{_measured(quality)} ({quality['receipt']})",
        dialect="evaluation receipt",
        found=found,
    )


def _found(quality: Mapping[str, Any]) -> Fraction:
    """As publications print it: per cent of right answers, or the perplexity."""
    if quality["correct"] is None:
        return Fraction(quality["value"])
    return Fraction(100 * quality["correct"], quality["of"])


def _measured(quality: Mapping[str, Any]) -> str:
    if quality["correct"] is None:
        return f"{quality['metric']} {quality['value']:.2f}"
    correct, of = quality["correct"], quality["of"]
    return f"{correct:,} of {of:,} right, {100 * correct / of:.2f} %"


def _unmeasured(evidence: Evidence) -> str:
    name = evidence.target["name"]
    if evidence.target["weights"] == "untrained":
        return "its trained weights are not here, so nobody can measure it"
    return f"not measured yet: micronet evaluate {name} --data DIR"
