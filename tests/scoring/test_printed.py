"""Printed numbers of repeated runs: what stands behind ± is kept, and decides nothing."""

from __future__ import annotations

from fractions import Fraction

import pytest

from micronet.errors import MicronetError
from micronet.scoring.printed import printed


@pytest.mark.parametrize(
    ("text", "number", "spread"),
    [
        ("76.1±0.5", Fraction(761, 10), Fraction(1, 2)),
        ("86.3±.2", Fraction(863, 10), Fraction(1, 5)),
        ("76.1 ± 0.5", Fraction(761, 10), Fraction(1, 2)),
        ("78±2", Fraction(78), Fraction(2)),
        ("76.1", Fraction(761, 10), None),
    ],
)
def test_the_spread_is_kept_apart(text: str, number: Fraction, spread: Fraction | None) -> None:
    assert (printed(text).number, printed(text).spread) == (number, spread)


def test_a_number_within_the_spread_is_not_the_number_printed() -> None:
    assert printed("76.1±0.5").reproduced_by(Fraction(7614, 100))  # rounded, 76.1
    assert not printed("76.1±0.5").reproduced_by(Fraction(765, 10))


@pytest.mark.parametrize("text", ["±0.5", "76.1±", "76.1±-1", "76.1±.", "1/2±1", "76.1±0.5±0.1"])
def test_half_a_spread_is_refused(text: str) -> None:
    with pytest.raises(MicronetError, match="is not a printed number"):
        printed(text)


def test_thousands_are_written_k_or_capital_k() -> None:
    assert printed("41k") == printed("41K")
    assert printed("41k").reproduced_by(41_362)  # truncated and rounded alike


def test_giga_and_tera_are_counters_words() -> None:
    assert printed("4.09G") == printed("4.09B")
    assert printed("1.5T").reproduced_by(1_536_000_000_000)  # cut off after the digit
