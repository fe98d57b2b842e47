"""Accuracy against a cost, with the Pareto front, as SVG."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from micronet.reports.figures.canvas import Canvas, text_width
from micronet.reports.figures.place import Box, Wanted, along, placed, stairs
from micronet.reports.figures.ticks import decimals, ticks
from micronet.reports.shown import number

if TYPE_CHECKING:
    from micronet.reports.figures.spec import Point, Scatter

_HEIGHT: Final = 420.0
_TALL: Final = 470.0  # on a narrow screen, for the labels
_FOOT: Final = 44.0
_LEFT: Final = 34.0
_SIZE: Final = 12.0
_MILLION: Final = 10**6
_NARROW: Final = 450.0


@dataclass(frozen=True)
class Frame:
    """The plot's rectangle, and the least and the greatest number on each axis."""

    box: Box
    xs: tuple[Fraction, Fraction]
    ys: tuple[Fraction, Fraction]

    def at(self, x: Fraction, y: Fraction) -> tuple[float, float]:
        """Where a point with these numbers is drawn."""
        across = float((x - self.xs[0]) / (self.xs[-1] - self.xs[0]))
        up = float((y - self.ys[0]) / (self.ys[-1] - self.ys[0]))
        box = self.box
        return (
            box.left + across * (box.right - box.left),
            box.bottom - up * (box.bottom - box.top),
        )


def draw_scatter(figure: Scatter, width: float) -> str:
    """The figure in ``width`` pixels."""
    height = _HEIGHT if width > _NARROW else _TALL
    canvas = Canvas(figure.name, width, height, figure.title, figure.description)
    frame = _frame(figure, width, (_legend(canvas, figure, width), height))
    _axes(canvas, frame, figure)
    lines = [*_front(canvas, frame, figure), _threshold(canvas, frame, figure)]
    spots = {point: frame.at(point.x / _MILLION, point.y) for point in figure.points}
    ordered = sorted(spots, key=lambda point: (not point.ours, point.y, point.name))
    wanted = [Wanted(point.name, *spots[point], _SIZE, point.ours) for point in ordered]
    within = Box(frame.box.left, frame.box.top - 10, width, frame.box.bottom)
    for point, label in zip(ordered, placed(wanted, within, lines), strict=True):
        canvas.text(label.x, label.y, label.text, "l ours" if point.ours else "l", label.anchor)
    for point, (x, y) in spots.items():
        canvas.dot(x, y, 4.5, _kind(point), _tip(point))
    return canvas.source()


def _frame(figure: Scatter, width: float, ends: tuple[float, float]) -> Frame:
    """``ends``: where the legend ends, and the drawing."""
    xs = [point.x / _MILLION for point in figure.points]
    ys = [*(point.y for point in figure.points), figure.threshold]
    box = Box(_LEFT, ends[0] + 34, width - 12, ends[1] - _FOOT)
    return Frame(box, _roomy(xs), _roomy(ys))


def _roomy(values: list[Fraction]) -> tuple[Fraction, Fraction]:
    """From the least to the greatest, and a tenth more at both ends, but never below zero."""
    low, high = min(values), max(values)
    room = (high - low) / 10 or high / 10 or Fraction(1)
    return max(low - room, Fraction(0)), high + room


def _axes(canvas: Canvas, frame: Frame, figure: Scatter) -> None:
    box = frame.box
    rows = ticks(*frame.ys, 8)
    columns = ticks(*frame.xs, 6 if canvas.width > _NARROW else 4)
    for mark in rows:
        _, y = frame.at(frame.xs[0], mark)
        canvas.line((box.left, y), (box.right, y), "grid")
        canvas.text(box.left - 6, y + 4, number(mark, decimals(rows)), "tick", "end")
    for mark in columns:
        x, _ = frame.at(mark, frame.ys[0])
        canvas.line((x, box.bottom), (x, box.bottom + 4), "axis")
        canvas.text(x, box.bottom + 17, number(mark, decimals(columns)), "tick", "middle")
    canvas.line((box.left, box.bottom), (box.right, box.bottom), "axis")
    canvas.text(box.right, box.bottom + 35, figure.x_title, "name", "end")
    canvas.text(0, box.top - 14, figure.y_title, "name")


def _legend(canvas: Canvas, figure: Scatter, width: float) -> float:
    """What the kinds of dots and lines mean, of those that occur; where it ends."""
    known = (
        ("scored here", any(p.ours for p in figure.points), "dot ours"),
        ("accuracy measured", any(p.measured for p in figure.points), "dot measured"),
        ("as published", any(not p.measured and p.comparable for p in figure.points), "dot"),
        ("other dialect", any(not p.comparable for p in figure.points), "dot other"),
        ("Pareto front", any(p.on_front for p in figure.points), "front"),
        (f"threshold {number(figure.threshold)} %", True, "limit"),
    )
    x, y = 0.0, 12.0
    for text, there, kind in known:
        wide = 16 + text_width(text, 11) + 14
        if there and x and x + wide - 14 > width:
            x, y = 0.0, y + 17
        if there:
            _sign(canvas, x, y, kind)
            canvas.text(x + 16, y, text, "tick")
            x += wide
    return y


def _sign(canvas: Canvas, x: float, y: float, kind: str) -> None:
    if kind.startswith("dot"):
        canvas.dot(x + 5, y - 4, 4, kind)
    else:
        canvas.line((x, y - 4), (x + 12, y - 4), kind)


def _front(canvas: Canvas, frame: Frame, figure: Scatter) -> list[Box]:
    """The stairs through the points that nothing beats; the boxes that they take."""
    best = sorted((p for p in figure.points if p.on_front), key=lambda p: (p.x, p.y))
    line = stairs([frame.at(p.x / _MILLION, p.y) for p in best], frame.box.right)
    if line:
        canvas.path(line, "front")
    return along(line)


def _threshold(canvas: Canvas, frame: Frame, figure: Scatter) -> Box:
    _, y = frame.at(frame.xs[0], figure.threshold)
    canvas.line((frame.box.left, y), (frame.box.right, y), "limit")
    return Box(frame.box.left, y - 1, frame.box.right, y + 1)


def _kind(point: Point) -> str:
    kinds = ["dot", "ours" if point.ours else "", "measured" if point.measured else ""]
    return " ".join(kind for kind in (*kinds, "" if point.comparable else "other") if kind)


def _tip(point: Point) -> str:
    return f"{point.name}: {number(point.y)} % at {number(point.x)}"
