"""From the tables to the figures."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from micronet.reports.figures.spec import (
    Bar,
    Bars,
    Density,
    Figure,
    Point,
    Profile,
    Scatter,
    Step,
    Waterfall,
)
from micronet.reports.figures.training import training_figures
from micronet.reports.layers import stage_names, stages_table
from micronet.reports.score_receipt import BOOK
from micronet.reports.shown import number
from micronet.reports.submission import COLUMNS, submission_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from micronet.reports.material import Material, Network
    from micronet.reports.table import Cell, Row, Table
    from micronet.scoring.tracks import Track

_PLACE = {column.key: place for place, column in enumerate(COLUMNS)}


def figures(material: Material, tables: Sequence[Table]) -> tuple[Figure, ...]:
    """Every figure, in the order of the tables that they belong to."""
    found: list[Figure] = []
    for track in material.tracks:
        found += scatters(material, track)
    found += training_figures(material.experiments)
    for network in material.networks:
        found += [stages(network), profile(network)]
    found += [waterfall(table) for table in tables if table.name.startswith("waterfall-")]
    return tuple(found)


def scatters(material: Material, track: Track) -> Iterator[Scatter]:
    """Accuracy against operations and against storage; nothing where accuracy is no top-1."""
    if track.metric != "top1":
        return
    rows = submission_table(material, track).rows
    for axis, key, fallback in (
        ("operations", "operations_recounted", "operations_recounted"),
        ("storage", "parameters_stored", "parameters_recounted"),
    ):
        points = front([p for row in rows for p in _point(row, key, fallback)])
        if points:
            yield _scatter(track, axis, points)


def _scatter(track: Track, axis: str, points: tuple[Point, ...]) -> Scatter:
    best = ", ".join(point.name for point in points if point.on_front)
    unit = {"operations": "millions", "storage": "millions of 32-bit parameters"}[axis]
    return Scatter(
        name=f"accuracy-{axis}-{track.name}",
        title=f"Accuracy against {axis}",
        description=f"Top-1 of {len(points)} networks against their {axis}. On the Pareto front: {best}.",
        x_title=f"{axis.capitalize()}, {unit}",
        y_title="Top-1, %",
        points=points,
        threshold=100 * track.threshold,
    )


def _point(row: Row, key: str, fallback: str) -> Iterator[Point]:
    name, published, found = (
        row.cells[_PLACE[k]] for k in ("network", "top1_published_percent", "top1_measured_percent")
    )
    cost = row.cells[_PLACE[key]]
    cost = row.cells[_PLACE[fallback]] if cost.value is None else cost
    certain = found.tone in ("good", "bad")
    y = _fraction(found) if certain else _fraction(published)
    x = _fraction(cost)
    if x is not None and y is not None:
        label = str(name.value) if row.ours else _short(str(name.value))
        yield Point(label, x, y, row.ours, certain, cost.detail == BOOK)


def _fraction(cell: Cell) -> Fraction | None:
    return Fraction(cell.value) if isinstance(cell.value, int | Fraction) else None


def _short(title: str) -> str:
    """A baseline's name without its settings: "DARTS, conference genotype (C = 48)" is long."""
    return title.partition(" (")[0].partition(", the ")[0].removesuffix(" genotype")


def front(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points, those marked that no other beats at a cost as low and an accuracy as high."""
    able = [point for point in points if point.comparable]

    def beaten(point: Point) -> bool:
        return any(
            other.x <= point.x and other.y >= point.y and (other.x, other.y) != (point.x, point.y)
            for other in able
        )

    return tuple(replace(p, on_front=p.comparable and not beaten(p)) for p in points)


def stages(network: Network) -> Bars:
    """Where the score of a network comes from."""
    table = stages_table(network)
    places = [
        place for place, column in enumerate(table.columns) if column.key.startswith("score_")
    ]
    bars = tuple(
        Bar(
            str(row.cells[0].value), tuple(_fraction(row.cells[at]) or Fraction(0) for at in places)
        )
        for row in table.rows
    )
    total = sum((part for bar in bars for part in bar.parts), Fraction(0))
    first = max(bars, key=lambda bar: sum(bar.parts))
    return Bars(
        name=table.name,
        title="Where the score comes from",
        description=f"{number(total, 4)} in {len(bars)} stages; most from {first.name},"
        f" {number(sum(first.parts, Fraction(0)), 4)}.",
        series=("storage", "operations"),
        bars=bars,
        total=total,
    )


def profile(network: Network) -> Profile:
    """How dense the weights of a network are."""
    layers = network.receipt.document["layers"]
    names = stage_names([layer["name"] for layer in layers])
    found = tuple(
        Density(layer["name"], stage, layer["stored"], layer["active"], layer["live"])
        for stage, layer in zip(names, layers, strict=True)
        if layer["weight_shape"] is not None and layer["stored"]
    )
    stored, live = sum(each.stored for each in found), sum(each.live for each in found)
    share = f", {number(Fraction(100 * live, stored), 1)} % of all values live" if stored else ""
    return Profile(
        name=f"sparsity-{network.receipt.key}",
        title="Sparsity by layer (share of weights kept)",
        description=f"The share of live values in each of {len(found)} weights{share}.",
        layers=found,
    )


def waterfall(table: Table) -> Waterfall:
    """The steps of a table of differences."""
    places = [
        (str(row.cells[0].value), _fraction(row.cells[-1]) or Fraction(0)) for row in table.rows
    ]
    after, steps = Fraction(0), []
    for name, change in places:
        after += change
        steps.append(Step(name, change, after))
    return Waterfall(
        name=table.name,
        title="From the claim to the recount",
        description=f"{number(steps[0].after, 5)} as claimed, {number(after, 5)} recounted,"
        f" in {len(steps) - 1} steps.",
        claim=steps[0],
        steps=tuple(steps[1:]),
        recount=after,
    )
