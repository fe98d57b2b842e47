"""What every table of a report is, whatever it is written as: columns, rows of exact numbers, notes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Iterable

Value = str | int | Fraction | None
Tone = Literal["", "good", "bad", "doubt", "quiet"]


@dataclass(frozen=True)
class Column:
    """One column. ``key`` names it for machines, with the unit where it has one.

    ``decimals`` are printed always; None prints as many as there are, at most three. ``signed``
    numbers are differences and show their plus. A ``prose`` column wraps. On a narrow terminal the
    columns with the highest ``gives_way`` are left out first, those with 0 never.
    """

    key: str
    title: str
    unit: str = ""
    group: str = ""
    text: bool = False
    prose: bool = False
    decimals: int | None = None
    signed: bool = False
    gives_way: int = 0


@dataclass(frozen=True)
class Cell:
    """One value; None is unknown.

    ``stated`` is the number as its source prints it ("564M") and is shown instead of ``value``.
    ``detail`` says in which dialect it was counted, or of how many images. ``marks`` are the
    numbers of the table's notes that belong to it. ``whole``: no difference, although its column's
    numbers are. ``variance`` of a mean: the root of it is shown behind a ±.
    """

    value: Value = None
    stated: str = ""
    detail: str = ""
    marks: tuple[int, ...] = ()
    tone: Tone = ""
    whole: bool = False
    variance: Fraction | None = None


@dataclass(frozen=True)
class Row:
    """The cells of one line, a cell a column; ``ours`` where the line is about what was scored here."""

    cells: tuple[Cell, ...]
    ours: bool = False


@dataclass(frozen=True)
class Note:
    """A remark under the table and its source; ``mark`` 0 is about the table as a whole."""

    text: str
    source: str = ""
    mark: int = 0


@dataclass(frozen=True)
class Table:
    """A table called ``name`` (a file's name), its rows, and the line that they add up to."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    total: Row | None = None
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        for row in (*self.rows, *([self.total] if self.total else [])):
            if len(row.cells) != len(self.columns):
                raise ValueError(
                    f"{self.name}: {len(row.cells)} cells, {len(self.columns)} columns"
                )

    @property
    def lines(self) -> tuple[Row, ...]:
        """The rows and, if there is one, the total."""
        return (*self.rows, self.total) if self.total else self.rows


UNKNOWN: Final = Cell()


class Notes:
    """The notes of a table that is being made: each text once, numbered as they come."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], int] = {}

    def mark(self, text: str, source: str = "") -> int:
        """The number of the note ``text``, new or not."""
        return self._found.setdefault((text, source), len(self._found) + 1)

    def all(self, general: Iterable[Note] = ()) -> tuple[Note, ...]:
        """The numbered notes, then those about the whole table."""
        numbered = (Note(text, source, mark) for (text, source), mark in self._found.items())
        return (*numbered, *general)


def add_up(table: Table) -> Table:
    """``table`` itself; MicronetError if its rows do not add up to its total, to the unit."""
    if table.total is None:
        raise ValueError(f"{table.name} has no total")
    for place, column in enumerate(table.columns):
        due = table.total.cells[place].value
        if column.text or not isinstance(due, int | Fraction):
            continue
        values = (row.cells[place].value for row in table.rows)
        found = sum((Fraction(v) for v in values if isinstance(v, int | Fraction)), Fraction(0))
        if found != due:
            raise MicronetError(
                f"{table.name}: the rows of '{column.title}' add up to {found}, the total is {due}.",
                "The receipt was changed by hand: score the network again.",
            )
    return table
