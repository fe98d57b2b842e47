"""Stacked bars, the profile of a network's sparsity, and waterfalls, as SVG."""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING, Final

from micronet.reports.figures.canvas import Canvas, shortened, text_width, wrapped
from micronet.reports.figures.ticks import decimals, ticks
from micronet.reports.shown import number

if TYPE_CHECKING:
    from micronet.reports.figures.spec import Bars, Profile, Step, Waterfall

_SIZE: Final = 12.0
_LINE: Final = 15.0
_VALUE: Final = 62.0  # pixels for a number at the right edge


def draw_bars(figure: Bars, width: float) -> str:
    """One bar a stage, its name before and its sum behind it."""
    row, top = 20.0, 30.0
    canvas = Canvas(
        figure.name, width, top + row * len(figure.bars) + 8, figure.title, figure.description
    )
    names = max(text_width(bar.name, _SIZE) for bar in figure.bars)
    left = min(names + 12, width * 0.42)
    longest = max(sum(bar.parts, Fraction(0)) for bar in figure.bars) or Fraction(1)
    scale = (width - left - _VALUE) / float(longest)
    _series(canvas, figure.series, left)
    for index, bar in enumerate(figure.bars):
        y, x = top + row * index, left
        canvas.text(left - 8, y + 11, shortened(bar.name, left - 10, _SIZE), "l", "end")
        for series, part in zip(figure.series, bar.parts, strict=True):
            tip = f"{bar.name}: {number(part, 4)} {series}"
            canvas.box(x, y, float(part) * scale, 13, kind=series, tip=tip)
            x += float(part) * scale
        canvas.text(x + 6, y + 11, number(sum(bar.parts, Fraction(0)), 4), "value")
    return canvas.source()


def _series(canvas: Canvas, series: tuple[str, ...], left: float) -> None:
    x = left
    for name in series:
        canvas.box(x, 3, 10, 10, kind=name)
        canvas.text(x + 15, 12, name, "tick")
        x += 15 + text_width(name, 11) + 18


def draw_profile(figure: Profile, width: float) -> str:
    """One column a weight: live in full colour, alive in name only (not zero, but dead) above it."""
    height, left, top, foot = 210.0, 42.0, 8.0, 26.0
    canvas = Canvas(figure.name, width, height, figure.title, figure.description)
    bottom, right = height - foot, width - 4
    for mark in (0, 25, 50, 75, 100):
        y = bottom - mark / 100 * (bottom - top)
        canvas.line((left, y), (right, y), "grid" if mark else "axis")
        canvas.text(left - 6, y + 4, f"{mark} %", "tick", "end")
    if not figure.layers:
        return canvas.source()
    step = (right - left) / len(figure.layers)
    for index, layer in enumerate(figure.layers):
        x, wide = left + step * index, max(step - min(2.0, step * 0.25), 0.5)
        live, active = (Fraction(n, layer.stored) for n in (layer.live, layer.active))
        tip = f"{layer.name}: {number(100 * live, 1)} % live ({layer.live:,} of {layer.stored:,})"
        if active > live:
            high = float(active) * (bottom - top)
            dead = f"{layer.name}: not zero, but dead"
            canvas.box(x, bottom - high, wide, high, kind="dead", tip=dead)
        high = float(live) * (bottom - top)
        canvas.box(x, bottom - high, wide, high, kind="live", tip=tip)
    _stage_names(canvas, figure, left, step, bottom)
    return canvas.source()


def _stage_names(canvas: Canvas, figure: Profile, left: float, step: float, bottom: float) -> None:
    """The names of the stages under their columns, as far as they do not touch."""
    place, free = 0, 0.0
    for stage, layers in groupby(figure.layers, key=lambda layer: layer.stage):
        count = len(list(layers))
        x, end = left + step * place, left + step * (place + count)
        place += count
        wide = text_width(stage, 11)
        centre = min(max((x + end) / 2, left + wide / 2), canvas.width - wide / 2)
        canvas.line((x, bottom), (x, bottom + 5), "axis")
        if centre - wide / 2 > free:
            canvas.text(centre, bottom + 18, stage, "tick", "middle")
            free = centre + wide / 2 + 8


def draw_waterfall(figure: Waterfall, width: float) -> str:
    """A line of text and a bar a step; claim and recount are dots, for the axis has no zero."""
    names = [
        wrapped(step.name, width - _VALUE - 16, _SIZE) for step in (figure.claim, *figure.steps)
    ]
    rows = [_LINE * len(lines) + 17 for lines in names]
    height = sum(rows) + 76
    canvas = Canvas(figure.name, width, height, figure.title, figure.description)
    known = [figure.claim.after, *(step.after for step in figure.steps)]
    low, high = min(known), max(known)
    marks = ticks(low, high, 5 if width > 450 else 3)
    right, span = width - _VALUE - 16, float(high - low) or 1.0

    def at(value: Fraction) -> float:
        return 8 + float(value - low) / span * (right - 16)

    bottom = height - 26
    for mark in marks:
        canvas.line((at(mark), 2), (at(mark), bottom), "grid")
        canvas.text(at(mark), bottom + 16, number(mark, decimals(marks)), "tick", "middle")
    y = _dot(canvas, names[0], 2.0, at(figure.claim.after), number(figure.claim.after, 5))
    before = figure.claim.after
    for lines, step in zip(names[1:], figure.steps, strict=True):
        canvas.line((at(before), y - 8), (at(before), y + _LINE * len(lines) + 11), "link")
        y = _step(canvas, lines, y, (at(before), at(step.after)), step)
        before = step.after
    canvas.line((at(before), y - 8), (at(before), y + _LINE + 3), "link")
    _dot(canvas, ["recount"], y, at(figure.recount), number(figure.recount, 5))
    return canvas.source()


def _dot(canvas: Canvas, lines: list[str], y: float, x: float, value: str) -> float:
    for line in lines:
        y += _LINE
        canvas.text(0, y - 3, line, "l strong")
    canvas.dot(x, y + 7, 4.5, "dot measured ours")
    canvas.text(canvas.width, y + 11, value, "value strong", "end")
    return y + 17


def _step(
    canvas: Canvas, lines: list[str], y: float, ends: tuple[float, float], step: Step
) -> float:
    for line in lines:
        y += _LINE
        canvas.text(0, y - 3, line, "l")
    kind = "more" if step.change > 0 else "less"
    canvas.box(min(ends), y + 2, max(abs(ends[1] - ends[0]), 1.0), 9, kind=kind, tip=step.name)
    canvas.text(canvas.width, y + 11, number(step.change, 5, signed=True), "value", "end")
    return y + 17
