"""``reports/README.md``: what was found, for those who browse the folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micronet.reports.markdown import escaped, markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from micronet.reports.material import Material
    from micronet.reports.table import Table

_IN_FULL = ("submission-", "leaderboard-", "training", "audit", "findings", "waterfall-")


def overview(material: Material, tables: Sequence[Table]) -> str:
    """The tables that everybody asks for, and links to all of them."""
    return "\n".join(_parts(material, tables))


def _parts(material: Material, tables: Sequence[Table]) -> Iterator[str]:
    yield "# What was found\n"
    yield "Written by `micronet report` from the receipts in `receipts/`; not to be edited."
    yield "`micronet report --check` fails when it is.\n"
    yield from _said("Scored", (network.name for network in material.networks))
    yield from _said("Trained", (each.facts["card"] for each in material.experiments))
    yield "The same with figures and every layer, in one page: [report.html](report.html).\n"
    for table in tables:
        if table.name.startswith(_IN_FULL):
            yield markdown(table)
    yield "## All tables\n"
    yield "All of them as one LaTeX document: [tables.tex](tables/tables.tex).\n"
    yield "| Table | Markdown | LaTeX | CSV | JSON |"
    yield "| --- | --- | --- | --- | --- |"
    for table in tables:
        links = " | ".join(
            f"[{end}](tables/{table.name}.{end})" for end in ("md", "tex", "csv", "json")
        )
        yield f"| {escaped(table.title)} | {links} |"
    yield ""


def _said(what: str, names: Iterable[str]) -> Iterator[str]:
    """A sentence on who was, each once; none without anybody."""
    if found := ", ".join(escaped(name) for name in dict.fromkeys(names)):
        yield f"{what}: {found}."
