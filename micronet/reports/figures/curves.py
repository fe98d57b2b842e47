"""Curves of training runs by epoch, with the band between the least and the most, as SVG."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from micronet.reports.figures.canvas import Canvas, shortened, text_width
from micronet.reports.figures.place import Box, apart, on_lines
from micronet.reports.figures.scatter import Frame
from micronet.reports.figures.ticks import decimals, ticks
from micronet.reports.shown import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from micronet.reports.figures.spec import Curve, Curves, Level, Panel

COLOURS: Final = 8
"""After so many curves the colours begin anew; each curve has its name beside it."""
_SIZE: Final = 12.0
_GAP: Final = 14.0
_LEFT: Final = 42.0
_HEAD: Final = 24.0  # pixels for a panel's name
_BETWEEN: Final = 40.0  # pixels from a panel to the next one
_FOOT: Final = 40.0
_ALONE: Final = 330.0  # pixels of a panel
_TOGETHER: Final = 150.0
_NARROW: Final = 450.0


def draw_curves(figure: Curves, width: float) -> str:
    """The figure in ``width`` pixels."""
    high = _ALONE if len(figure.panels) == 1 else _TOGETHER
    height = _HEAD + (high + _BETWEEN) * len(figure.panels) - _BETWEEN + _FOOT
    canvas = Canvas(figure.name, width, height, figure.title, figure.description)
    names = [curve.name for panel in figure.panels for curve in panel.curves]
    room = min(max(text_width(name, _SIZE) for name in names) + 12, width * 0.36)
    for place, panel in enumerate(figure.panels):
        top = _HEAD + (high + _BETWEEN) * place
        box = Box(_LEFT, top, width - room, top + high)
        ends = (Fraction(0), Fraction(figure.epochs))
        frame = Frame(box, ends, (panel.low, panel.high))
        _axes(canvas, frame, panel, last=place == len(figure.panels) - 1)
        _panel(canvas, frame, panel)
    return canvas.source()


def colour(of: Curve | Level) -> str:
    """The class that gives a curve its colour."""
    return f"s{(of.colour - 1) % COLOURS + 1}"


def whole_epochs(epochs: int, about: int) -> tuple[Fraction, ...]:
    """Epochs to mark on an axis: there is none between two."""
    marks = ticks(Fraction(0), Fraction(epochs), min(about, epochs))
    return tuple(mark for mark in marks if mark.denominator == 1)


def _axes(canvas: Canvas, frame: Frame, panel: Panel, *, last: bool) -> None:
    box, rows = frame.box, ticks(*frame.ys, 7)
    for mark in rows:
        _, y = frame.at(frame.xs[0], mark)
        canvas.line((box.left, y), (box.right, y), "grid")
        canvas.text(box.left - 6, y + 4, number(mark, decimals(rows)), "tick", "end")
    canvas.line((box.left, box.bottom), (box.right, box.bottom), "axis")
    canvas.text(0, box.top - 10, panel.y_title, "name")
    if not last:
        return
    for mark in whole_epochs(int(frame.xs[1]), 8 if canvas.width > _NARROW else 5):
        x, _ = frame.at(mark, frame.ys[0])
        canvas.line((x, box.bottom), (x, box.bottom + 4), "axis")
        canvas.text(x, box.bottom + 17, number(mark), "tick", "middle")
    canvas.text(box.right, box.bottom + 33, "Epoch", "name", "end")


def _panel(canvas: Canvas, frame: Frame, panel: Panel) -> None:
    for curve in panel.curves:
        if curve.runs > 1:
            upper = [frame.at(Fraction(p.epoch), p.high) for p in curve.points]
            lower = [frame.at(Fraction(p.epoch), p.low) for p in reversed(curve.points)]
            canvas.area(upper + lower, f"band {colour(curve)}")
    for level in panel.levels:
        _, y = frame.at(frame.xs[0], level.value)
        canvas.line((frame.box.left, y), (frame.box.right, y), f"level {colour(level)}")
    ends = [_curve(canvas, frame, curve) for curve in panel.curves]
    _end_names(canvas, frame, panel.curves, ends)
    _level_names(canvas, frame, panel.levels)


def _curve(canvas: Canvas, frame: Frame, curve: Curve) -> float:
    """The line and a dot at its end, whose height is returned."""
    line = [frame.at(Fraction(point.epoch), point.mean) for point in curve.points]
    canvas.path(line, f"curve {colour(curve)}")
    last = curve.points[-1]
    tip = f"{curve.name}: {number(last.mean, 2)} % after epoch {last.epoch}"
    canvas.dot(*line[-1], 3, f"end {colour(curve)}", tip)
    return line[-1][1]


def _end_names(
    canvas: Canvas, frame: Frame, curves: Sequence[Curve], ends: Sequence[float]
) -> None:
    """The curves' names at the right, as near to their ends as they have room."""
    places = apart(ends, _GAP, frame.box.top + 4, frame.box.bottom - 2)
    left = frame.box.right + 8
    for curve, y in zip(curves, places, strict=True):
        text = shortened(curve.name, canvas.width - left, _SIZE)
        canvas.text(left, y + 4, text, f"l {colour(curve)}")


def _level_names(canvas: Canvas, frame: Frame, levels: Sequence[Level]) -> None:
    """The levels' names on their lines, where curves have not come yet; a list where it is crowded."""
    box = frame.box
    lines = [frame.at(frame.xs[0], level.value)[1] - 5 for level in levels]
    places = on_lines(lines, _GAP, box.top + 9, box.bottom - 5)
    x, anchor = (box.left + 6, "start") if places else (box.right - 8, "end")
    # Curves rise, so below them at the right is room.
    first = box.bottom - 10 - _GAP * (len(levels) - 1)
    falling = sorted(range(len(levels)), key=lambda index: -levels[index].value)
    places = places or [first + _GAP * falling.index(index) for index in range(len(levels))]
    room = box.right - box.left - 14
    for level, y in zip(levels, places, strict=True):
        fitting = (name for name in level.names if text_width(name, _SIZE) <= room)
        text = next(fitting, shortened(level.names[-1], room, _SIZE))
        canvas.text(x, y, text, f"l {colour(level)}", anchor)
