"""Published figures beside the recount: which convention a number belongs to, if any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from micronet.scoring.printed import printed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from micronet.checkpoints.card import Claim

RULES: Final = ("micronet2019",)
CONVENTIONS: Final = {
    "parameters": ("macs",),
    "macs": ("macs",),
    "operations": ("macs", *RULES),
}
"""What a number means where nobody says how it was counted: the papers' way; a score: the challenge's."""
_JUDGED = ("parameters", "macs", "operations", "score")


def judge_claims(
    claims: Iterable[Claim],
    recounts: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    untrained: bool,
    remark: str | None = None,
) -> list[dict[str, Any]]:
    """One row a claim.

    ``recounts`` lists (convention, quantity → exact number), the preferred convention first.
    ``untrained``: the wiring was built, not trained, so a different number proves nothing.
    """
    return [
        _row(claim, recounts, untrained=untrained, remark=remark)
        for claim in claims
        if claim.quantity in _JUDGED
    ]


def _row(
    claim: Claim,
    recounts: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    untrained: bool,
    remark: str | None,
) -> dict[str, Any]:
    found = [
        (name, counts[claim.quantity]) for name, counts in recounts if claim.quantity in counts
    ]
    stated = printed(claim.stated)
    fitting = [(name, number) for name, number in found if stated.reproduced_by(number)]
    usual = CONVENTIONS.get(claim.quantity, RULES)
    name, number = (fitting or found or [("", None)])[0]
    if number is None:
        verdict, why = "unjudged", f"no convention here counts its {claim.quantity}"
    elif any(name in usual for name, _ in fitting):
        verdict, why = "holds", f"counted as {name}"
    elif fitting and usual == RULES:  # a score names its rules
        wanted = dict(found)[RULES[0]]
        verdict, why = "fails", f"counted as {name}; {RULES[0]} counts {float(wanted):.5f}"
    elif fitting:
        verdict, why = "holds in another dialect", f"counted as {name}"
    else:
        verdict = "unjudged" if untrained else "fails"
        why = f"{name} counts {_off(number, claim.value)}"
        if untrained:
            why += ", all edges alive" + (f"; {remark}" if remark else "")
    return {
        "quantity": claim.quantity,
        "claimed": claim.stated,
        "found": _shown(claim.quantity, number),
        "unit": claim.unit,
        "source": claim.where,
        "verdict": verdict,
        "explanation": why,
    }


def _off(number: Any, claimed: float) -> str:
    return f"{float((number - claimed) / claimed):+.1%}" if claimed else f"{float(number):,.0f}"


def _shown(quantity: str, number: Any) -> float | None:
    if number is None:
        return None
    return float(number) if quantity == "score" else int(number)
