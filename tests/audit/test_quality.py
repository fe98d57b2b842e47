"""Claims about accuracy: what one measurement can tell, and what it cannot."""

from __future__ import annotations

import pytest

from micronet.audit.entry import stated_claim
from micronet.audit.evidence import NOTHING
from micronet.audit.quality import judge_quality

WHOLE = {
    "metric": "top1",
    "correct": 8_093,
    "of": 10_000,
    "value": 0.8093,
    "threshold": None,
    "qualifies": None,
    "verdict": "no track, so no threshold; this is the CIFAR-10 test set",
    "receipt": "r.json",
    "whole": True,
}
MEASURED = "8,093 of 10,000 right, 80.93 % (r.json)"


@pytest.mark.parametrize(
    ("stated", "whole", "verdict", "why"),
    [
        ("80.9", True, "holds", MEASURED),
        ("81.0", True, "fails", MEASURED),
        ("80.9", False, "unjudged", f"measured on a part only: {MEASURED}"),
        (
            "80.9±0.6",
            True,
            "unjudged",
            f"a mean of several runs, which one network cannot tell: {MEASURED}",
        ),
        (
            "85.0±0.1",
            True,
            "unjudged",
            f"a mean of several runs, which one network cannot tell: {MEASURED}",
        ),
    ],
    ids=["it holds", "it fails", "a part", "near a mean", "far from a mean"],
)
def test_an_accuracy_on_no_track_is_held_against_the_whole_set(
    stated: str, whole: bool, verdict: str, why: str
) -> None:
    claim = stated_claim("top1", stated, where="a table")
    judged = judge_quality(claim, NOTHING, {**WHOLE, "whole": whole})
    assert (judged.verdict, judged.explanation) == (verdict, why)
