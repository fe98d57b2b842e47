"""A table as CSV: plain numbers, a column of dialects beside each that has them, the notes in words."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from micronet.reports.shown import plain_number, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from micronet.reports.table import Cell, Row, Table

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def comma_separated(table: Table) -> str:
    """The rows and the total under a line of keys; lines end with a newline."""
    detailed = [
        any(row.cells[place].detail for row in table.lines) for place in range(len(table.columns))
    ]
    noted = {note.mark: note.text for note in table.notes if note.mark}
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_head(table, detailed, noted=bool(noted)))
    for row in table.lines:
        writer.writerow(_fields(row, detailed, noted))
    return file.getvalue()


def _head(table: Table, detailed: Sequence[bool], *, noted: bool) -> Iterable[str]:
    for column, with_detail in zip(table.columns, detailed, strict=True):
        yield column.key
        if with_detail:
            yield f"{column.key}_counted_as"
    if noted:
        yield "notes"


def _fields(row: Row, detailed: Sequence[bool], noted: dict[int, str]) -> Iterable[str]:
    for cell, with_detail in zip(row.cells, detailed, strict=True):
        yield _value(cell)
        if with_detail:
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
