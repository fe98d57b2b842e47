"""Published figures against recounts: which convention a figure belongs to, or that it fits none."""

from __future__ import annotations

from fractions import Fraction

import pytest

from micronet.checkpoints.card import Claim
from micronet.scoring.claims import judge_claims

RECOUNTS = (
    ("dnw-release", {"macs": 582_400_000, "parameters": 4_200_000}),
    ("macs", {"macs": 563_638_816, "parameters": 4_231_976, "operations": 2 * 563_638_816}),
    ("micronet2019", {"score": Fraction(978, 1000), "operations": 789_500_000}),
)


def claim(quantity: str, stated: str, value: float, unit: str = "") -> Claim:
    return Claim(quantity, stated, value, unit, "table 1")


def verdict(
    stated: Claim, *, untrained: bool = False, remark: str | None = None
) -> tuple[str, str, float]:
    (row,) = judge_claims([stated], RECOUNTS, untrained=untrained, remark=remark)
    return row["verdict"], row["explanation"], row["found"]


@pytest.mark.parametrize(
    ("stated", "why", "found"),
    [
        (claim("macs", "564M", 564e6), "counted as macs", 563_638_816),  # rounded
        (claim("macs", "563M", 563e6), "counted as macs", 563_638_816),  # cut off
        (claim("operations", "789.5M", 789.5e6), "counted as micronet2019", 789_500_000),
        (claim("operations", "1127M", 1127e6), "counted as macs", 1_127_277_632),
        (claim("score", "0.978", 0.978), "counted as micronet2019", 0.978),
    ],
    ids=["the papers' way", "truncated", "the challenge's", "twice the macs", "score"],
)
def test_a_claim_holds_in_the_convention_that_it_means(
    stated: Claim, why: str, found: float
) -> None:
    assert verdict(stated) == ("holds", why, found)


def test_a_claim_that_only_its_authors_code_reproduces_holds_in_another_dialect() -> None:
    assert verdict(claim("macs", "582M", 582e6)) == (
        "holds in another dialect",
        "counted as dnw-release",
        582_400_000,
    )


def test_the_authors_own_count_is_shown_where_it_and_the_papers_way_reproduce_the_figure() -> None:
    assert verdict(claim("parameters", "4.2M", 4.2e6)) == (
        "holds",
        "counted as dnw-release",
        4_200_000,
    )


def test_a_score_in_another_dialect_fails_because_a_score_names_its_rules() -> None:
    own = ("dnw-release", {"score": Fraction(846, 1000)})
    (row,) = judge_claims([claim("score", "0.8460", 0.846)], [own, *RECOUNTS], untrained=False)
    assert (row["verdict"], row["explanation"]) == (
        "fails",
        "counted as dnw-release; micronet2019 counts 0.97800",
    )


def test_a_claim_that_no_convention_reproduces_fails_against_the_preferred_one() -> None:
    """(582.4 − 600) / 600 = −2.933…%."""
    assert verdict(claim("macs", "600M", 600e6)) == (
        "fails",
        "dnw-release counts -2.9%",
        582_400_000,
    )


def test_a_difference_proves_nothing_about_a_wiring_that_was_built_untrained() -> None:
    found = verdict(claim("macs", "600M", 600e6), untrained=True)
    assert found[:2] == ("unjudged", "dnw-release counts -2.9%, all edges alive")
    remarked = verdict(claim("macs", "600M", 600e6), untrained=True, remark="seed 0")
    assert remarked[1] == "dnw-release counts -2.9%, all edges alive; seed 0"


def test_an_untrained_wiring_may_still_confirm_a_figure() -> None:
    assert verdict(claim("macs", "564M", 564e6), untrained=True)[0] == "holds"


def test_counts_are_whole_numbers_and_scores_are_not() -> None:
    rows = judge_claims(
        [claim("macs", "582M", 582e6), claim("score", "1.0", 1.0)], RECOUNTS, untrained=False
    )
    assert [type(row["found"]) for row in rows] == [int, float]


def test_a_row_quotes_the_claim() -> None:
    (row,) = judge_claims([claim("macs", "582M", 582e6, "MACs")], RECOUNTS, untrained=False)
    assert (row["quantity"], row["claimed"], row["unit"], row["source"]) == (
        "macs",
        "582M",
        "MACs",
        "table 1",
    )


def test_what_counting_cannot_judge_is_left_out() -> None:
    assert judge_claims([claim("top1", "74.0", 74.0)], RECOUNTS, untrained=False) == []


def test_a_quantity_that_no_recount_has_is_unjudged_and_no_crash() -> None:
    rows = judge_claims([claim("score", "0.9", 0.9)], [("macs", {"macs": 1})], untrained=False)
    assert [row["verdict"] for row in rows] == ["unjudged"]


def test_a_claim_of_nothing_is_judged_without_dividing_by_it() -> None:
    (row,) = judge_claims([claim("macs", "0", 0)], RECOUNTS, untrained=False)
    assert row["verdict"] == "fails"
