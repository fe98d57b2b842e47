"""One figure as a matplotlib figure, in the look of the page."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from matplotlib.figure import Figure as Sheet
from matplotlib.patheffects import withStroke

from micronet.reports.figures.place import Box, Wanted, along, placed, stairs
from micronet.reports.figures.plot_curves import plot_curves
from micronet.reports.figures.spec import Bars, Curves, Profile, Scatter, Waterfall
from micronet.reports.shown import number, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from micronet.reports.figures.spec import Figure, Point

# A salt makes the identities in an SVG the same each time; names are text, never formulas.
STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "micronet",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a929c",
    "axes.labelcolor": "#5b6470",
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 10,
    "axes.axisbelow": True,
    "xtick.color": "#5b6470",
    "ytick.color": "#5b6470",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 160,
}
_STORAGE, _OPERATIONS, _OURS = "#2f6db5", "#d08a3c", "#1f5fa8"
_LESS, _SOFT, _LINE, _FAINT = "#1d7a46", "#5b6470", "#dfe3e7", "#8a929c"
_MILLION: Final = 10**6
_POINTS_AN_INCH: Final = 72


def plot(figure: Figure) -> Sheet:
    """The figure, ready to be saved."""
    match figure:
        case Scatter():
            return _scatter(figure)
        case Bars():
            return _bars(figure)
        case Profile():
            return _profile(figure)
        case Waterfall():
            return _waterfall(figure)
        case Curves():
            return plot_curves(figure)
    raise TypeError(f"{type(figure).__name__} is no figure that can be drawn")


def _sheet(figure: Figure, height: float) -> tuple[Sheet, Axes]:
    sheet = Sheet(figsize=(6.4, height))
    axes = sheet.add_subplot()
    axes.set_title(visible(figure.title))
    return sheet, axes


def _scatter(figure: Scatter) -> Sheet:
    sheet, axes = _sheet(figure, 4.2)
    axes.set_xlabel(figure.x_title)
    axes.set_ylabel(figure.y_title)
    axes.grid(axis="y", color=_LINE)
    limit = f"threshold {number(figure.threshold)} %"
    axes.axhline(
        float(figure.threshold), color=_FAINT, linestyle=(0, (3, 3)), linewidth=1, label=limit
    )
    best = sorted(_at(point) for point in figure.points if point.on_front)
    if best:
        xs, ys = [x for x, _ in best], [y for _, y in best]
        axes.step(xs, ys, where="post", color=_FAINT, linewidth=1.2, label="Pareto front")
    for label, chosen, style in _kinds(figure):
        where = [_at(point) for point in chosen]
        axes.scatter(
            [x for x, _ in where], [y for _, y in where], s=30, zorder=3, label=label, **style
        )
    axes.margins(0.12)
    axes.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    sheet.draw_without_rendering()
    _names(axes, figure)
    return sheet


def _at(point: Point) -> tuple[float, float]:
    return float(point.x / _MILLION), float(point.y)


def _kinds(figure: Scatter) -> list[tuple[str, list[Point], dict[str, Any]]]:
    """The kinds of points that occur: name, points, how they look."""
    found: list[tuple[str, list[Point], dict[str, Any]]] = []
    for ours, name in ((True, "scored here"), (False, "as published")):
        colour = _OURS if ours else _SOFT
        for measured in (True, False):
            chosen = [p for p in figure.points if (p.ours, p.measured) == (ours, measured)]
            face = colour if measured else "white"
            text = f"{name}, accuracy measured" if measured else name
            found.append(
                (text, chosen, {"facecolors": face, "edgecolors": colour, "linewidths": 1.5})
            )
    return [kind for kind in found if kind[1]]


def _names(axes: Axes, figure: Scatter) -> None:
    """The points' names, where they do not touch; pixels of the sheet grow upwards, ours downwards."""
    scale = axes.figure.dpi / _POINTS_AN_INCH
    high = axes.bbox.y1
    ordered = sorted(figure.points, key=lambda point: (not point.ours, point.y, point.name))
    wanted = []
    for point in ordered:
        x, y = axes.transData.transform(_at(point))
        wanted.append(Wanted(point.name, float(x), float(high - y), 8 * scale, point.ours))
    within = Box(axes.bbox.x0, 0, axes.bbox.x1, high - axes.bbox.y0)
    sides = {"start": "left", "middle": "center", "end": "right"}
    front = sorted((w.x, w.y) for w, p in zip(wanted, ordered, strict=True) if p.on_front)
    labels = placed(wanted, within, along(stairs(front, front[-1][0] if front else 0.0)))
    for point, asked, label in zip(ordered, wanted, labels, strict=True):
        axes.annotate(
            visible(label.text),
            _at(point),
            xytext=((label.x - asked.x) / scale, (asked.y - label.y) / scale),
            textcoords="offset points",
            ha=sides[label.anchor],
            va="baseline",
            fontsize=8,
            fontweight="bold" if asked.bold else "normal",
            color=_OURS if asked.bold else "black",
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )


def _bars(figure: Bars) -> Sheet:
    sheet, axes = _sheet(figure, 0.9 + 0.22 * len(figure.bars))
    names = [visible(bar.name) for bar in figure.bars]
    rows = range(len(names))
    before = [Fraction(0)] * len(names)
    for place, (series, colour) in enumerate(
        zip(figure.series, (_STORAGE, _OPERATIONS), strict=True)
    ):
        parts = [bar.parts[place] for bar in figure.bars]
        left = [float(value) for value in before]
        axes.barh(
            rows, [float(p) for p in parts], left=left, height=0.66, color=colour, label=series
        )
        before = [done + part for done, part in zip(before, parts, strict=True)]
    for row, value in enumerate(before):
        axes.annotate(
            number(value, 4), (float(value), row), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=8, color=_SOFT,
        )  # fmt: skip
    axes.set_yticks(rows, names, color="black")
    axes.tick_params(left=False)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("Score")
    axes.legend(ncols=2, loc="lower right")
    return sheet


def _profile(figure: Profile) -> Sheet:
    sheet, axes = _sheet(figure, 2.8)
    axes.grid(axis="y", color=_LINE)
    places = range(len(figure.layers))
    active = [100 * layer.active / layer.stored for layer in figure.layers]
    live = [100 * layer.live / layer.stored for layer in figure.layers]
    if any(layer.active > layer.live for layer in figure.layers):
        axes.bar(places, active, color=_LINE, label="not zero, but dead")
    axes.bar(places, live, color=_STORAGE, label="live")
    starts = [p for p in places if not p or figure.layers[p].stage != figure.layers[p - 1].stage]
    wide = [
        p for p, after in pairwise([*starts, len(figure.layers)]) if after - p > len(places) / 24
    ]
    axes.set_xticks(
        [p - 0.5 for p in wide], [visible(figure.layers[p].stage) for p in wide], ha="left"
    )
    axes.set_ylim(0, 100)
    axes.set_ylabel("live values, %")
    axes.margins(x=0.01)
    return sheet


def _waterfall(figure: Waterfall) -> Sheet:
    sheet, axes = _sheet(figure, 1.0 + 0.34 * (len(figure.steps) + 2))
    before = figure.claim.after
    last = len(figure.steps) + 1
    for row, step in enumerate(figure.steps, 1):
        colour = _OPERATIONS if step.change > 0 else _LESS
        axes.barh(row, float(step.change), left=float(before), height=0.5, color=colour)
        axes.plot([float(before)] * 2, [row - 1, row], color=_FAINT, linewidth=0.8)
        before = step.after
    axes.plot([float(before)] * 2, [last - 1, last], color=_FAINT, linewidth=0.8)
    ends = [float(figure.claim.after), float(figure.recount)]
    axes.scatter(ends, [0, last], color=_OURS, s=30, zorder=3)
    names = [figure.claim.name, *(step.name for step in figure.steps), "recount"]
    values = [
        number(figure.claim.after, 5),
        *(number(step.change, 5, signed=True) for step in figure.steps),
        number(figure.recount, 5),
    ]
    texts = [f"{_short(name)}   {value}" for name, value in zip(names, values, strict=True)]
    axes.set_yticks(range(last + 1), texts, color="black", fontsize=8)
    axes.tick_params(left=False)
    axes.grid(axis="x", color=_LINE)
    axes.use_sticky_edges = False
    axes.margins(x=0.06)
    axes.invert_yaxis()
    axes.set_xlabel("Score")
    return sheet


def _short(name: str, most: int = 48) -> str:
    seen = visible(name)
    return seen if len(seen) <= most else f"{seen[: most - 1]}…"
