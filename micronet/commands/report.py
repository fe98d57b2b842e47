"""``micronet report``: tables and figures from receipts, written, checked or shown."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from micronet.commands import console
from micronet.errors import Finding, MicronetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from micronet.reports.figures.spec import Figure
    from micronet.reports.material import Material
    from micronet.reports.table import Table

Shown = Literal[
    "submission", "leaderboard", "training", "runs", "stages", "layers", "waterfall", "audit",
    "findings",
]  # fmt: skip
Format = Literal["terminal", "markdown", "latex", "csv", "json", "html"]
FOLDER: Final = Path("reports")
_MACHINE: Final = ("csv", "json")
_MOST_NAMED: Final = 8


@dataclass(frozen=True)
class Request:
    """One ``micronet report`` command line; the fields are its options."""

    check: bool = False
    figures: bool = False
    out: Path = FOLDER
    show: Shown | None = None
    format: Format | None = None
    receipt: str | None = None


def run(request: Request) -> int:
    """Write the report, or show one kind of table; Finding if ``check`` finds stale files."""
    _refuse_contradictions(request)
    from micronet.reports.audit_source import shipped_audit_of
    from micronet.reports.material import gather
    from micronet.reports.tables import of_kind, tables

    root = Path.cwd()
    material = gather(root, shipped_audit_of(root))
    if request.show is not None:
        _show(of_kind(material, request.show, request.receipt), request)
        return 0
    made = tables(material)
    if request.check:
        _check(material, made, request.out)
    else:
        _write(material, made, request)
    return 0


def _refuse_contradictions(request: Request) -> None:
    if request.show is None and (request.format or request.receipt):
        raise MicronetError(
            "--format and --receipt are about one table, and none was named.",
            "Name it: micronet report --show submission",
        )
    if request.show is not None and (request.check or request.figures or request.out != FOLDER):
        raise MicronetError(
            "--show writes nothing, so it does not go with --check, --figures or --out."
        )
    if request.check and request.figures:
        raise MicronetError("--check looks at the figures as well; leave --figures out.")


def _write(material: Material, made: Sequence[Table], request: Request) -> None:
    from micronet.commands.render_table import table_view
    from micronet.reports.outputs import texts, write
    from micronet.reports.tables import SUBMISSION
    from micronet.reports.training_table import TRAINING

    files = texts(material, made)
    if request.figures:
        from micronet.reports.figures.files import files as drawn

        files |= drawn(_figures(material, made))
    write(request.out, files)
    width = console.terminal_columns()
    for table in made:
        if table.name.startswith((SUBMISSION, TRAINING)):
            console.write([*table_view(table, width=width), ""])
    for line in _said(request.out, files):
        console.say(line)


def _said(out: Path, files: dict[Path, bytes]) -> list[str]:
    """What was written, a line a folder."""
    folders: dict[Path, list[Path]] = {}
    for path in files:
        folders.setdefault(path.parent, []).append(path)
    return [
        f"wrote {out / folder}: {len(paths)} files"
        if folder.name
        else f"wrote {', '.join(str(out / path) for path in paths)}"
        for folder, paths in folders.items()
    ]


def _check(material: Material, made: Sequence[Table], out: Path) -> None:
    from micronet.reports.figures.files import stale as stale_figures
    from micronet.reports.outputs import stale, texts

    found = [*stale(out, texts(material, made)), *stale_figures(out, _figures(material, made))]
    if found:
        more = len(found) - _MOST_NAMED
        named = "; ".join(found[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
        raise Finding(f"{named}.", "Write them again: micronet report")
    console.say(f"{out}: up to date")


def _figures(material: Material, made: Sequence[Table]) -> tuple[Figure, ...]:
    from micronet.reports.figures.make import figures

    return figures(material, made)


def _show(found: Sequence[Table], request: Request) -> None:
    from micronet.reports import delimited, document, latex, markdown

    form = request.format or "terminal"
    if form in _MACHINE and len(found) > 1:
        names = ", ".join(table.name.partition("-")[2] for table in found)
        raise MicronetError(
            f"There are {len(found)} such tables, and {form} holds one.",
            f"Choose: --receipt, one of {names}",
        )
    if form == "terminal":
        from micronet.commands.render_table import table_view

        for table in found:
            console.write([*table_view(table, width=console.terminal_columns()), ""])
        return
    if form == "html":
        from micronet.reports.page.page import some_tables

        sys.stdout.write(some_tables(found))
        return
    write = {
        "markdown": markdown.markdown,
        "latex": latex.latex,
        "csv": delimited.comma_separated,
        "json": document.json_text,
    }[form]
    sys.stdout.write("\n".join(write(table) for table in found))
