"""The page: tables and figures in a template, style and script inside, all foreign text escaped."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from micronet.reports.figures.draw import NARROW, WIDE, draw
from micronet.reports.figures.make import figures
from micronet.reports.shown import number, plain_number, shown, visible
from micronet.reports.tables import network_tables
from micronet.reports.training_table import RUNS, TRAINING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from micronet.reports.figures.spec import Figure
    from micronet.reports.material import Material, Network
    from micronet.reports.table import Cell, Column, Table

_FOLDER: Final = "page"


@dataclass(frozen=True)
class Drawn:
    """A figure, drawn for a wide screen and for a narrow one."""

    title: str
    about: str
    wide: str
    narrow: str


@dataclass(frozen=True)
class Group:
    """A heading over ``span`` columns, or one column without a heading over it."""

    title: str
    span: int
    column: Column


def page(material: Material, tables: Sequence[Table]) -> str:
    """The whole page of a report."""
    drawn = {figure.name: _drawn(figure) for figure in figures(material, tables)}
    known = {table.name: table for table in tables}
    about = {name: known.pop(name) for network in material.networks for name in _names(network)}
    return _render(
        tracks=[
            {
                "title": track.title,
                "figures": _found(
                    drawn, f"accuracy-operations-{track.name}", f"accuracy-storage-{track.name}"
                ),
                "tables": [
                    known.pop(f"{kind}-{track.name}") for kind in ("submission", "leaderboard")
                ],
            }
            for track in material.tracks
        ],
        training=[known.pop(name) for name in (TRAINING, RUNS) if name in known],
        training_figures=_found(drawn, *(name for name in drawn if name.startswith("training-"))),
        networks=[_network(each, about, drawn) for each in material.networks],
        audit=list(known.values()),
        audit_figures=_found(drawn, *(name for name in known if name.startswith("waterfall-"))),
    )


def some_tables(tables: Sequence[Table]) -> str:
    """A page with nothing but ``tables``."""
    return _render(
        tracks=[],
        training=[],
        training_figures=[],
        networks=[],
        audit=list(tables),
        audit_figures=[],
    )


def _names(network: Network) -> list[str]:
    return [table.name for table in network_tables(network)]


def _network(
    network: Network, known: Mapping[str, Table], drawn: Mapping[str, Drawn]
) -> dict[str, Any]:
    receipt = network.receipt
    target, parts = receipt.document["target"], receipt.score(network.track)
    key = receipt.key
    return {
        "name": visible(network.name),
        "key": key,
        "score": [number(part, 4) for part in (parts.total, parts.storage, parts.operations)],
        "architecture": visible(target["architecture"]),
        "weights": target["weights"],
        "sha256": target["sha256"],
        "receipt": receipt.path.name,
        "figures": _found(drawn, f"stages-{key}", f"sparsity-{key}", f"waterfall-{key}"),
        "tables": [known[name] for name in _names(network)],
    }


def _found(drawn: Mapping[str, Drawn], *names: str) -> list[Drawn]:
    return [drawn[name] for name in names if name in drawn]


def _drawn(figure: Figure) -> Drawn:
    return Drawn(figure.title, figure.description, draw(figure, WIDE), draw(figure, NARROW))


def _render(**content: Any) -> str:
    environment = Environment(
        autoescape=True,
        loader=PackageLoader("micronet.reports", _FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(shown=shown, sortable=_sortable, groups=_groups, visible=visible)
    style, script = _file("page.css"), _file("page.js")
    return environment.get_template("page.html.jinja").render(
        style=style,
        script=script,
        style_hash=_content_hash(style),
        script_hash=_content_hash(script),
        **content,
    )


def _file(name: str) -> str:
    return resources.files("micronet.reports").joinpath(_FOLDER, name).read_text("utf-8")


def _content_hash(text: str) -> str:
    """As a content security policy names the one style or script that it allows."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _sortable(cell: Cell) -> str:
    """What a column is sorted by: a plain number, or nothing where none is known."""
    return plain_number(cell.value) if isinstance(cell.value, int | Fraction) else ""


def _groups(table: Table) -> list[Group]:
    return list(_runs(table.columns))


def _runs(columns: Sequence[Column]) -> Iterator[Group]:
    place = 0
    while place < len(columns):
        name, span = columns[place].group, 1
        while name and place + span < len(columns) and columns[place + span].group == name:
            span += 1
        yield Group(name, span, columns[place])
        place += span
