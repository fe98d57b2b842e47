"""The human view of a ``micronet.audit/1`` document: a line a claim, and below it why it fails.

On a narrow terminal the claims lose columns, never digits.
"""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from micronet.commands import audit_words
from micronet.commands.audit_words import MARKS
from micronet.commands.console import MIN_COLUMNS, plain_table
from micronet.commands.render_evaluation import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from micronet.commands.audit_words import Document

_STYLES: Final = {
    "holds": "green",
    "holds in another dialect": "yellow",
    "fails": "bold red",
    "unjudged": "dim",
}
_WORDS: Final = {"holds in another dialect": "other dialect"}
_INDENT: Final = "    "
_GAP: Final = "  "


class _Line(NamedTuple):
    """The cells of a claim; the numbers stand at the right of their columns."""

    entry: str
    quantity: str
    stated: str
    found: str
    dialect: str
    verdict: str


_HEAD: Final = _Line(*_Line._fields)
_RIGHT: Final = ("stated", "found")
_EXPENDABLE: Final = ("verdict", "dialect", "entry")  # the mark and the numbers stay


def audit_view(document: Document, width: int | None = None) -> Iterable[RenderableType]:
    """What ``micronet audit`` shows: the claims of each file, its findings, waterfalls, totals.

    ``width`` is the terminal's; None: as wide as it takes, prose broken at 100 columns.
    """
    lines = [_cells(entry, claim) for entry in document["entries"] for claim in entry["claims"]]
    widths = _fitting([_HEAD, *lines], width)
    prose = min(width or MIN_COLUMNS, MIN_COLUMNS)
    for name, entries in audit_words.files(document).items():
        yield Text(plain(name), style="bold")
        yield _line("", " ", _HEAD, widths, style="dim")
        for entry in entries:
            yield from _claims(entry, widths, prose)
        for whose, reason in audit_words.unjudged(entries):
            yield from _prose(f"{whose}: {reason}", prose, style="dim", indent="–  ")
        yield ""
        for entry in entries:
            yield from _beyond_claims(entry, prose)
        yield from _notes(entries, prose)
    yield Text(audit_words.findings_in_all(document), style="bold")
    yield Text(audit_words.totals(document), style="bold")


def _cells(entry: Document, claim: Document) -> _Line:
    verdict = str(claim["verdict"])
    return _Line(
        entry=plain(entry["name"]),
        quantity=claim["quantity"],
        stated=plain(claim["stated"]),
        found=audit_words.found(claim),
        dialect=plain(claim["dialect"] or ""),
        verdict=_WORDS.get(verdict, verdict),
    )


def _fitting(lines: Sequence[_Line], width: int | None) -> dict[str, int]:
    """The columns that fit into ``width``, with the cells that each takes."""
    widths = {
        column: max(cell_len(getattr(line, column)) for line in lines) for column in _Line._fields
    }
    for column in _EXPENDABLE:
        if width is not None and _needed(widths) > width:
            del widths[column]
    return widths


def _needed(widths: dict[str, int]) -> int:
    return 1 + sum(len(_GAP) + cells for cells in widths.values())


def _claims(entry: Document, widths: dict[str, int], prose: int) -> Iterator[Text]:
    if "entry" not in widths:
        yield Text(plain(entry["name"]), style="bold")
    for claim in entry["claims"]:
        style = _STYLES[claim["verdict"]]
        yield _line(style, MARKS[claim["verdict"]], _cells(entry, claim), widths)
        if claim["verdict"] in ("fails", "holds in another dialect"):
            yield from _prose(claim["explanation"], prose, indent=_INDENT)
            yield from _steps(claim["steps"], prose)


def _line(
    mark_style: str, mark: str, cells: _Line, widths: dict[str, int], style: str = ""
) -> Text:
    """The cells that have a column, with the mark and the verdict in the mark's style."""
    line = Text(mark, style=mark_style)
    for column, size in widths.items():
        cell = getattr(cells, column)
        space = " " * (size - cell_len(cell))
        shown = f"{space}{cell}" if column in _RIGHT else f"{cell}{space}"
        line.append(_GAP).append(shown, style=mark_style if column == "verdict" else style)
    line.rstrip()
    return line


def _steps(steps: Sequence[Document], prose: int) -> Iterator[Text]:
    changes = [audit_words.change(step["change"]) for step in steps]
    size = max(map(len, changes), default=0)
    for change, step in zip(changes, steps, strict=True):
        yield from _prose(step["name"], prose, indent=f"{_INDENT}{change:>{size}}{_GAP}")


def _prose(text: str, width: int, *, indent: str = "", style: str = "") -> Iterator[Text]:
    """``text`` broken into lines of ``width``, behind ``indent`` and then as far in."""
    first = indent
    for line in wrap(plain(text), max(width - len(indent), 20)) or [""]:
        yield Text(f"{first}{line}".rstrip(), style=style)
        first = " " * len(indent)


def _beyond_claims(entry: Document, prose: int) -> Iterator[RenderableType]:
    """The findings and the waterfall of an entry; nothing where it has none."""
    name = plain(entry["name"])
    findings = audit_words.findings(entry)
    for check in findings:
        yield from _finding(name, check, prose)
    if findings:
        yield ""
    if entry["waterfall"]:
        yield from _prose(f"{name}: {audit_words.WATERFALL}", prose, style="bold")
        yield _waterfall(entry["waterfall"])
        yield ""


def _notes(entries: Sequence[Document], prose: int) -> Iterator[RenderableType]:
    notes = tuple(audit_words.notes(entries))
    for whose, note in notes:
        yield from _prose(f"{whose}: {note}", prose, indent="note: ", style="dim")
    if notes:
        yield ""


def _finding(name: str, check: Document, prose: int) -> Iterator[Text]:
    title = plain(f"{check['id']}: {check['title']}")
    yield Text.assemble(("✗", _STYLES["fails"]), f"{_GAP}{name}{_GAP}", (title, "bold"))
    yield from _prose(check["because"], prose, indent=_INDENT)
    if check["layers"]:
        yield from _prose(f"layers: {audit_words.layers(check)}", prose, indent=_INDENT)
    if check["remedy"]:
        yield from _prose(check["remedy"], prose, indent=f"{_INDENT}→ ")


def _waterfall(steps: list[Document]) -> Table:
    table = plain_table("")
    table.add_column("difference", overflow="fold", max_width=MIN_COLUMNS // 2)
    for title in ("parameters", "operations", "score"):
        table.add_column(title, justify="right", no_wrap=True)
    for step in steps:
        table.add_row(*map(plain, audit_words.step_cells(step)))
    table.add_row(*audit_words.sum_cells(steps), style="bold")
    return table
