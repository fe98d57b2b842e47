"""The networks others are measured against: published figures beside a recount of the rebuild.

``reproduces`` is data for the reader of the file, but it is computed again here from the recount
and the stated text; a row that says otherwise does not load.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from micronet.errors import MicronetError
from micronet.scoring.printed import printed
from micronet.scoring.tables import Table, pick, read
from micronet.shelf import folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction
    from pathlib import Path

UNITS = {
    "parameters": "parameters",
    "macs": "multiply-accumulates",
    "operations": "operations",
    "top1": "percent",
}
FITS, FAILS = "to the printed digits", "no"


@dataclass(frozen=True)
class Source:
    """Where a figure was published: the table and the work it stands in."""

    table: str
    reference: str


@dataclass(frozen=True)
class Recount:
    """What the rebuilt network counts: learned numbers, and MACs of conv and linear layers."""

    parameters: int
    macs: int

    def of(self, quantity: str) -> int | None:
        """The recount of a published quantity; None where counting cannot tell (top1)."""
        counts = {"parameters": self.parameters, "macs": self.macs, "operations": 2 * self.macs}
        return counts.get(quantity)


@dataclass(frozen=True)
class Figure:
    """One published number: as printed, exactly, in its unit, and whether a recount gives it."""

    quantity: str
    stated: str
    number: Fraction
    unit: str
    source: Source
    recount: int | None
    reproduces: str | None
    why: str


@dataclass(frozen=True)
class Baseline:
    """A published network. ``card`` names the checkpoint card that rebuilds it, if one ships."""

    name: str
    title: str
    card: str | None
    paper: str
    recount: Recount
    published: tuple[Figure, ...]

    def figure(self, quantity: str) -> Figure | None:
        """The published "parameters", "macs", "operations" or "top1"; None if not published."""
        return next((figure for figure in self.published if figure.quantity == quantity), None)


def baseline(name: str) -> Baseline:
    """Look up a baseline, for example "nasnet_a_mobile"."""
    return pick("baseline", name, _shipped())


def baselines() -> tuple[Baseline, ...]:
    """All baselines, in the file's order."""
    return tuple(_shipped().values())


@cache
def _shipped() -> dict[str, Baseline]:
    return load(folder("scoring") / "baselines.toml")


def load(path: Path) -> dict[str, Baseline]:
    """Read and check a file of baselines; every problem is named in one MicronetError."""
    table = read(path)
    sources = {name: _source(row) for name, row in table.mapping("source", Table.table).items()}
    rows = table.mapping("baseline", of=Table.table)
    found = {name: _baseline(name, row, sources) for name, row in rows.items()}
    table.done()
    return found


def _source(row: Table) -> Source:
    return Source(row.text("table"), row.text("reference"))


def _baseline(name: str, row: Table, sources: Mapping[str, Source]) -> Baseline:
    usual = row.word("source", sources)
    counts = row.table("recount")
    recount = Recount(counts.positive("parameters"), counts.positive("macs"))
    published = row.table("published")
    figures = tuple(
        _figure(quantity, published.table(quantity), recount, usual, sources)
        for quantity in UNITS
        if published.has(quantity)
    )
    return Baseline(
        name=name,
        title=row.text("title"),
        card=row.text("card") if row.has("card") else None,
        paper=row.text("paper"),
        recount=recount,
        published=figures,
    )


def _figure(
    quantity: str, row: Table, recount: Recount, usual: str, sources: Mapping[str, Source]
) -> Figure:
    counted = recount.of(quantity)
    made = Figure(
        quantity=quantity,
        stated=row.text("stated"),
        number=row.fraction("number"),
        unit=UNITS[quantity],
        source=sources.get(row.word("source", sources, default=usual), Source("", "")),
        recount=counted,
        reproduces=None if counted is None else row.word("reproduces", (FITS, FAILS)),
        why=row.text("why", default=""),
    )
    if row.sound():
        _check(made, row)
    return made


def _check(made: Figure, row: Table) -> None:
    """Note what contradicts itself: text and number, or ``reproduces`` and the recount."""
    try:
        text = printed(made.stated)
    except MicronetError as error:
        row.problem("stated", f"cannot be read: {error.message}")
        return
    if text.number != made.number:
        row.problem("number", f"should be {text.number} ({made.stated}), found {made.number}")
    if made.recount is None:
        return
    truth = FITS if text.reproduced_by(made.recount) else FAILS
    if made.reproduces != truth:
        row.problem("reproduces", f"should be '{truth}': {made.stated} against {made.recount:,}")
    if truth == FAILS and not made.why:
        row.problem("why", "is missing: a figure that is not reproduced needs an explanation")
