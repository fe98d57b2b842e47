"""A table of a report on the terminal: dialects under their numbers, notes below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from rich.text import Text

from micronet.commands.console import plain_table
from micronet.reports.shown import shown, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.table import Table as Grid

    from micronet.reports.table import Cell, Column, Row, Table

_GUTTER: Final = 3
_PROSE: Final = 44
_STYLES: Final = {"": "", "good": "green", "bad": "red", "doubt": "yellow", "quiet": "dim"}


def table_view(table: Table, *, width: int | None = None) -> list[RenderableType]:
    """The table and its notes; columns that do not fit into ``width`` are left out, and counted."""
    places = _fitting(table, width)
    grid = plain_table(visible(table.title))
    for place in places:
        _add_column(grid, table.columns[place])
    for row in table.rows:
        grid.add_row(*_cells(table, row, places), style="bold" if row.ours else "")
    if table.total:
        grid.add_section()
        grid.add_row(*_cells(table, table.total, places), style="bold")
    return [grid, "", *_notes(table, len(table.columns) - len(places))]


def _add_column(grid: Grid, column: Column) -> None:
    side: Literal["left", "right"] = "left" if column.text else "right"
    wide = _PROSE if column.prose else None
    heading = "\n".join(_heading(column))
    grid.add_column(
        heading, justify=side, no_wrap=not column.prose, overflow="fold", max_width=wide
    )


def _heading(column: Column) -> list[str]:
    unit = f" {column.unit}" if column.unit else ""
    return [*([column.group.lower()] if column.group else []), f"{column.title.lower()}{unit}"]


def _cells(table: Table, row: Row, places: Sequence[int]) -> list[Text]:
    return [_text(row.cells[place], table.columns[place]) for place in places]


def _text(cell: Cell, column: Column) -> Text:
    text = Text(shown(cell, column), style=_STYLES[cell.tone])
    if cell.marks:
        text.append(f" [{','.join(map(str, cell.marks))}]", style="dim")
    if cell.detail:
        text.append(f"\n{visible(cell.detail)}", style="not bold dim")
    return text


def _notes(table: Table, hidden: int) -> list[Text]:
    notes = []
    for note in table.notes:
        mark = f"[{note.mark}] " if note.mark else ""
        text = Text(f"{mark}{visible(note.text)}")
        if note.source:
            text.append(f" {visible(note.source)}", style="dim")
        notes.append(text)
    if hidden:
        notes.append(Text(f"{hidden} columns did not fit; --format markdown has them.", "dim"))
    return notes


def _fitting(table: Table, width: int | None) -> list[int]:
    """The places of the columns that are shown."""
    places = list(range(len(table.columns)))
    if width is None:
        return places
    needed = [_needed(table, place) + _GUTTER for place in places]
    while sum(needed[place] for place in places) - _GUTTER > width:
        most = max(places, key=lambda place: (table.columns[place].gives_way, place))
        if not table.columns[most].gives_way:
            break
        places.remove(most)
    return places


def _needed(table: Table, place: int) -> int:
    column = table.columns[place]
    texts = [_text(row.cells[place], column).plain for row in table.lines]
    lines = [line for text in (*texts, "\n".join(_heading(column))) for line in text.split("\n")]
    widest = max(map(len, lines), default=0)
    return min(widest, _PROSE) if column.prose else widest
