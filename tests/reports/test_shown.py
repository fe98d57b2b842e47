"""How numbers and names look: rounded once, from the exact value, and nothing hidden in a name."""

from __future__ import annotations

from fractions import Fraction

import pytest

from micronet.errors import MicronetError
from micronet.reports.shown import number, plain_number, shown, visible
from micronet.reports.table import Cell, Column, Notes, Row, Table, add_up


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [
        (1234567, None, "1,234,567"),
        (Fraction(4178689, 2), None, "2,089,344.5"),
        (Fraction(1, 3), None, "0.333"),
        (Fraction(1, 3), 4, "0.3333"),
        (2, 4, "2.0000"),
        (Fraction(1, 8), 2, "0.12"),  # half to even
        (Fraction(3, 8), 2, "0.38"),
        (Fraction(-1, 3), 2, "−0.33"),
        (Fraction(-1, 1000), 2, "0.00"),  # no minus before a zero
        (10**20 + 1, None, "100,000,000,000,000,000,001"),
    ],
)
def test_numbers(value: int | Fraction, decimals: int | None, expected: str) -> None:
    assert number(value, decimals) == expected


def test_a_difference_shows_its_sign() -> None:
    assert [number(n, signed=True) for n in (3, 0, -3)] == ["+3", "0", "−3"]


def test_machines_get_every_digit_and_an_ascii_minus() -> None:
    assert plain_number(10**20 + 1) == "100000000000000000001"
    assert plain_number(Fraction(-1, 8)) == "-0.125"
    assert plain_number(Fraction(2, 3)) == "0.666666666666667"


def test_a_number_is_shown_as_its_source_states_it() -> None:
    assert shown(Cell(564_000_000, "564M"), Column("macs", "MACs")) == "564M"
    assert shown(Cell(), Column("macs", "MACs")) == "–"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conv1 é 中 ×", "conv1 é 中 ×"),
        ("a\nb\tc\x1b[31m", "a\\x0ab\\x09c\\x1b[31m"),
        ("\u202eevil\u200b", "\\u202eevil\\u200b"),
        ("\udc80", "\\udc80"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, expected: str) -> None:
    assert visible(text) == expected


COLUMNS = (Column("name", "Name", text=True), Column("count", "Count"))


def counted(*counts: int, total: int) -> Table:
    rows = tuple(Row((Cell("row"), Cell(count))) for count in counts)
    return Table("counts", "Counts", COLUMNS, rows, Row((Cell("total"), Cell(total))))


def test_rows_add_up_to_their_total_or_there_is_no_table() -> None:
    assert add_up(counted(1, 2, total=3)).total is not None
    with pytest.raises(MicronetError, match="'Count' add up to 3, the total is 4"):
        add_up(counted(1, 2, total=4))


def test_a_row_has_a_cell_for_each_column() -> None:
    with pytest.raises(ValueError, match="1 cells, 2 columns"):
        Table("counts", "Counts", COLUMNS, (Row((Cell("row"),)),))


def test_a_note_that_comes_twice_is_one_note() -> None:
    notes = Notes()
    assert [notes.mark("a"), notes.mark("b"), notes.mark("a")] == [1, 2, 1]
    assert [(note.mark, note.text) for note in notes.all()] == [(1, "a"), (2, "b")]
