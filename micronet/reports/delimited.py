"""A table as CSV: plain numbers, beside them deviations and dialects if there are, the notes in words."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from micronet.reports.shown import plain_number, root, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from micronet.reports.table import Cell, Row, Table

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True)
class _Beside:
    """What a column needs further columns for."""

    deviation: bool
    detail: bool


def comma_separated(table: Table) -> str:
    """The rows and the total under a line of keys; lines end with a newline."""
    beside = [
        _Beside(
            any(row.cells[place].variance is not None for row in table.lines),
            any(row.cells[place].detail for row in table.lines),
        )
        for place in range(len(table.columns))
    ]
    noted = {note.mark: note.text for note in table.notes if note.mark}
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_head(table, beside, noted=bool(noted)))
    for row in table.lines:
        writer.writerow(_fields(row, beside, noted))
    return file.getvalue()


def _head(table: Table, beside: Sequence[_Beside], *, noted: bool) -> Iterable[str]:
    for column, further in zip(table.columns, beside, strict=True):
        yield column.key
        if further.deviation:
            yield f"{column.key}_deviation"
        if further.detail:
            yield f"{column.key}_counted_as"
    if noted:
        yield "notes"


def _fields(row: Row, beside: Sequence[_Beside], noted: dict[int, str]) -> Iterable[str]:
    for cell, further in zip(row.cells, beside, strict=True):
        yield _value(cell)
        if further.deviation:
            yield "" if cell.variance is None else plain_number(root(cell.variance))
        if further.detail:
            yield harmless(cell.detail)
    if noted:
        marks = dict.fromkeys(mark for cell in row.cells for mark in cell.marks)
        yield harmless(" ".join(noted[mark] for mark in marks))


def _value(cell: Cell) -> str:
    if cell.value is None:
        return ""
    return harmless(cell.value) if isinstance(cell.value, str) else plain_number(cell.value)


def harmless(text: str) -> str:
    """``text`` that no spreadsheet takes for a formula: an apostrophe in front says it is text."""
    seen = visible(text)
    return f"'{seen}" if text.lstrip().startswith(_FORMULA) or text.startswith(_FORMULA) else seen
