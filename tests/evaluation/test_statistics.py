"""Intervals and tests against published values and by hand."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest

from micronet.evaluation.statistics import mcnemar, wilson

# R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in
# Medicine 17 (1998), table I, method 3 (score method without continuity correction).
NEWCOMBE = {
    (81, 263): ("0.2553", "0.3662"),
    (15, 148): ("0.0624", "0.1605"),
    (0, 20): ("0.0000", "0.1611"),
    (1, 29): ("0.0061", "0.1718"),
}


@pytest.mark.parametrize(("share", "printed"), NEWCOMBE.items())
def test_wilsons_interval_is_the_published_one(
    share: tuple[int, int], printed: tuple[str, str]
) -> None:
    low, high = wilson(*share)
    assert (f"{low:.4f}", f"{high:.4f}") == printed


@pytest.mark.parametrize("of", [1, 2, 3, 29, 1000, 50_000])
def test_the_interval_ends_where_a_share_ends(of: int) -> None:
    assert wilson(0, of)[0] == 0.0
    assert wilson(of, of)[1] == 1.0


@pytest.mark.parametrize(("correct", "of"), [(0, 3), (1, 3), (917, 1000), (37_499, 50_000)])
def test_right_and_wrong_mirror_each_other(correct: int, of: int) -> None:
    low, high = wilson(correct, of)
    mirrored = wilson(of - correct, of)
    assert (f"{1 - high:.14f}", f"{1 - low:.14f}") == tuple(f"{end:.14f}" for end in mirrored)
    assert 0 <= low < Fraction(correct, of) < high <= 1 or correct == 0


@pytest.mark.parametrize(("correct", "of"), [(-1, 3), (4, 3), (0, 0)])
def test_what_is_no_share_has_no_interval(correct: int, of: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson(correct, of)


# Twice the tail of fair coins: 9 or 10 heads of 10 are 1 + 10 of 1024 ways.
BY_HAND = {
    (0, 0): Fraction(1),
    (1, 0): Fraction(1),
    (5, 0): Fraction(2, 32),
    (0, 6): Fraction(2, 64),
    (1, 9): Fraction(2 * (1 + 10), 1024),
    (2, 8): Fraction(2 * (1 + 10 + 45), 1024),
    (5, 5): Fraction(1),
    (4, 5): Fraction(1),
}


@pytest.mark.parametrize(("counts", "p"), BY_HAND.items())
def test_mcnemars_p_by_hand(counts: tuple[int, int], p: Fraction) -> None:
    assert mcnemar(*counts) == float(p)


def test_mcnemars_p_of_agrestis_approval_ratings() -> None:
    """A. Agresti, "Categorical Data Analysis", 10.1: 86 against 150; p is 3.7e-05 in statsmodels."""
    assert f"{mcnemar(86, 150):.6g}" == "3.71594e-05"


@pytest.mark.parametrize("only_first", range(7))
def test_mcnemars_p_is_what_tossing_every_coin_gives(only_first: int) -> None:
    """All 2^9 rows of 9 coins: those whose split is at least as uneven."""
    only_second = 9 - only_first
    heads = [sum(coins) for coins in itertools.product((0, 1), repeat=9)]
    extreme = [each for each in heads if abs(2 * each - 9) >= abs(only_second - only_first)]
    assert mcnemar(only_first, only_second) == len(extreme) / 2**9


def test_mcnemars_test_does_not_mind_the_order_or_the_size() -> None:
    assert mcnemar(25, 7) == mcnemar(7, 25)
    assert mcnemar(10_000, 10_000) == 1.0
    assert mcnemar(0, 50_000) == 0.0


def test_negative_counts_are_none() -> None:
    with pytest.raises(ValueError, match="no counts"):
        mcnemar(-1, 3)
