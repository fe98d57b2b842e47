"""A table as the ``micronet.table/1`` document: exact numbers, for other programs."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from micronet.reports.shown import root

if TYPE_CHECKING:
    from micronet.reports.table import Cell, Row, Table, Value

SCHEMA: Final = "micronet.table/1"


def json_text(table: Table) -> str:
    """The document as text in ASCII, keys sorted, a newline at the end."""
    return json.dumps(table_document(table), indent=2, sort_keys=True, allow_nan=False) + "\n"


def table_document(table: Table) -> dict[str, Any]:
    """Rows are objects by the columns' keys.

    A number that JSON cannot hold exactly stands as the nearest one, with "exact" beside it.
    """
    return {
        "schema": SCHEMA,
        "name": table.name,
        "title": table.title,
        "columns": [
            {"key": c.key, "title": c.title, "group": c.group or None, "unit": c.unit or None}
            for c in table.columns
        ],
        "rows": [_row(table, row) for row in table.rows],
        "total": _row(table, table.total) if table.total else None,
        "notes": [
            {"mark": note.mark or None, "text": note.text, "source": note.source or None}
            for note in table.notes
        ],
    }


def _row(table: Table, row: Row) -> dict[str, Any]:
    cells = zip(table.columns, row.cells, strict=True)
    return {column.key: _cell(cell) for column, cell in cells}


def _cell(cell: Cell) -> dict[str, Any]:
    found: dict[str, Any] = {"value": _number(cell.value)}
    if isinstance(cell.value, Fraction) and Fraction(float(cell.value)) != cell.value:
        found["exact"] = str(cell.value)
    if cell.variance is not None:
        found["deviation"] = float(root(cell.variance))
        found["variance"] = str(cell.variance)
    if cell.stated:
        found["stated"] = cell.stated
    if cell.detail:
        found["counted_as"] = cell.detail
    if cell.marks:
        found["notes"] = list(cell.marks)
    return found


def _number(value: Value) -> str | int | float | None:
    if isinstance(value, Fraction):
        return int(value) if value == int(value) else float(value)
    return value
