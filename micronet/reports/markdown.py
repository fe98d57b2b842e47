"""A table as GitHub's Markdown: the dialect small under its number, notes below."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from micronet.reports.shown import shown, visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from micronet.reports.table import Cell, Column, Row, Table

_SPECIAL = re.compile(r"[\\`*\[\]<>|#~&$]|(?<![^\W_])_|_(?![^\W_])")  # not the _ within a word
_LIST = re.compile(r"^([-+]|[0-9]+[.)])(?=\s|$)")


def markdown(table: Table) -> str:
    """The table under a heading of the second level; text of others is escaped."""
    parts = [f"## {escaped(table.title)}", "\n".join(_lines(table))]
    notes = "\n".join(_notes(table))
    return "\n\n".join(part for part in [*parts, notes] if part) + "\n"


def escaped(text: str) -> str:
    """``text`` as nothing but text: no markup, no cell or line of its own."""
    return _LIST.sub(_second_escaped, _SPECIAL.sub(r"\\\g<0>", visible(text)))


def _second_escaped(found: re.Match[str]) -> str:
    return f"{found[0][:-1]}\\{found[0][-1]}"


def _lines(table: Table) -> Iterable[str]:
    yield _line(_heading(column) for column in table.columns)
    yield _line("---" if column.text else "---:" for column in table.columns)
    for row in table.rows:
        yield _line(_cells(table, row, bold=row.ours))
    if table.total:
        yield _line(_cells(table, table.total, bold=True))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _heading(column: Column) -> str:
    title = f"{column.group}, {column.title}" if column.group else column.title
    return escaped(f"{title} ({column.unit})" if column.unit else title)


def _cells(table: Table, row: Row, *, bold: bool) -> Iterable[str]:
    for place, (cell, column) in enumerate(zip(row.cells, table.columns, strict=True)):
        yield _cell(cell, column, bold=bold and place == _first_text(table))


def _first_text(table: Table) -> int:
    return next((place for place, column in enumerate(table.columns) if column.text), 0)


def _cell(cell: Cell, column: Column, *, bold: bool) -> str:
    text = shown(cell, column)
    text = text if isinstance(cell.value, int | Fraction) and not cell.stated else escaped(text)
    text = f"**{text}**" if bold and text else text
    marks = "".join(f"<sup>{mark}</sup>" for mark in cell.marks)
    detail = f"<br><sub>{escaped(cell.detail)}</sub>" if cell.detail else ""
    return text + marks + detail


def _notes(table: Table) -> Iterable[str]:
    for note in table.notes:
        mark = f"<sup>{note.mark}</sup> " if note.mark else ""
        source = f" Source: {escaped(note.source)}" if note.source else ""
        yield f"- {mark}{escaped(note.text)}{source}"
