"""Curves of training runs as a matplotlib figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure as Sheet
from matplotlib.patheffects import withStroke

from micronet.reports.figures.curves import whole_epochs
from micronet.reports.figures.place import apart, on_lines
from micronet.reports.figures.ticks import decimals, ticks
from micronet.reports.shown import number, visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from matplotlib.axes import Axes

    from micronet.reports.figures.spec import Curve, Curves, Level, Panel

# As --s1 to --s8 in page.css, on white.
_COLOURS: Final = (
    *("#2f6db5", "#a85f10", "#1d7a46", "#8a4fa8", "#b3382c", "#0f7280", "#6b6a1f", "#5b6470"),
)
_GRID: Final = "#dfe3e7"
_SIZE: Final = 8.0
_GAP: Final = 10.0
_POINTS_AN_INCH: Final = 72


def plot_curves(figure: Curves) -> Sheet:
    """The figure, ready to be saved."""
    count = len(figure.panels)
    sheet = Sheet(figsize=(6.4, 4.2 if count == 1 else 1.2 + 1.8 * count))
    every = sheet.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    every[0].set_title(visible(figure.title))
    for axes, panel in zip(every, figure.panels, strict=True):
        _panel(axes, panel)
        axes.set_xlim(0, figure.epochs)
    marks = whole_epochs(figure.epochs, 8)
    every[-1].set_xticks([float(mark) for mark in marks], [number(mark) for mark in marks])
    every[-1].set_xlabel("Epoch")
    sheet.draw_without_rendering()
    for axes, panel in zip(every, figure.panels, strict=True):
        _end_names(axes, panel.curves)
        _level_names(axes, panel.levels)
    return sheet


def _panel(axes: Axes, panel: Panel) -> None:
    axes.set_ylabel(panel.y_title)
    axes.set_ylim(float(panel.low), float(panel.high))
    rows = ticks(panel.low, panel.high, 7)
    axes.set_yticks([float(mark) for mark in rows], [number(m, decimals(rows)) for m in rows])
    axes.grid(axis="y", color=_GRID)
    for level in panel.levels:
        axes.axhline(float(level.value), color=_colour(level), linestyle=(0, (5, 4)), linewidth=1.0)
    for curve in panel.curves:
        epochs = [point.epoch for point in curve.points]
        if curve.runs > 1:
            low = [float(point.low) for point in curve.points]
            high = [float(point.high) for point in curve.points]
            axes.fill_between(epochs, low, high, color=_colour(curve), alpha=0.18, linewidth=0)
        mean = [float(point.mean) for point in curve.points]
        axes.plot(epochs, mean, color=_colour(curve), linewidth=1.6)
        axes.plot(
            epochs[-1:], mean[-1:], color=_colour(curve), marker="o", markersize=4, clip_on=False
        )


def _colour(of: Curve | Level) -> str:
    return _COLOURS[(of.colour - 1) % len(_COLOURS)]


def _end_names(axes: Axes, curves: Sequence[Curve]) -> None:
    """The curves' names outside at the right."""
    wanted = [_depth(axes, curve.points[-1].mean) for curve in curves]
    places = apart(wanted, _GAP, *_ends(axes))
    for curve, y in zip(curves, places, strict=True):
        _name(axes, curve.name, (6, y), curve, at=1.0)


def _level_names(axes: Axes, levels: Sequence[Level]) -> None:
    """As on the page: on their lines at the left, or a list below the curves at the right."""
    wanted = [_depth(axes, level.value) - _SIZE + 1 for level in levels]
    first, last = _ends(axes)
    places = on_lines(wanted, _GAP, first, last)
    falling = sorted(range(len(levels)), key=lambda index: -levels[index].value)
    below = last - 4 - _GAP * (len(levels) - 1)
    for index, level in enumerate(levels):
        if places is not None:
            _name(axes, level.names[0], (5, places[index]), level, at=0.0)
        else:
            y = below + _GAP * falling.index(index)
            _name(axes, level.names[0], (-8, y), level, at=1.0, side="right")


def _name(
    axes: Axes,
    text: str,
    place: tuple[float, float],
    of: Curve | Level,
    *,
    at: float,
    side: str = "left",
) -> None:
    """A name at ``place``: points to the right of the axes' share ``at``, and below their top."""
    axes.annotate(
        visible(text),
        (at, 1.0),
        xycoords="axes fraction",
        xytext=(place[0], -place[1]),
        textcoords="offset points",
        ha=side,
        va="center",
        fontsize=_SIZE,
        color=_colour(of),
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
        annotation_clip=False,
    )


def _depth(axes: Axes, value: Fraction) -> float:
    """Points below the upper edge of the axes."""
    _, y = axes.transData.transform((0.0, float(value)))
    return float(axes.bbox.y1 - y) / _scale(axes)


def _ends(axes: Axes) -> tuple[float, float]:
    return _SIZE / 2, float(axes.bbox.height) / _scale(axes) - _SIZE / 2


def _scale(axes: Axes) -> float:
    """Pixels a point."""
    return float(axes.figure.dpi) / _POINTS_AN_INCH
