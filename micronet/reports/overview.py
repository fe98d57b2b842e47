"""``reports/README.md``: what was found, for those who browse the folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micronet.reports.markdown import escaped, markdown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from micronet.reports.material import Material
    from micronet.reports.table import Table

_IN_FULL = ("submission-", "leaderboard-", "audit", "findings", "waterfall-")


def overview(material: Material, tables: Sequence[Table]) -> str:
    """The tables that everybody asks for, and links to all of them."""
    return "\n".join(_parts(material, tables))


def _parts(material: Material, tables: Sequence[Table]) -> Iterator[str]:
    names = ", ".join(escaped(network.name) for network in material.networks)
    yield "# What was found\n"
    yield "Written by `micronet report` from the receipts in `receipts/`; not to be edited."
    yield "`micronet report --check` fails when it is.\n"
    yield f"Scored: {names}."
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
