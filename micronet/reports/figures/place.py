"""Labels beside their points, where they cover neither each other nor anything else."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import hypot
from typing import TYPE_CHECKING, Final

from micronet.reports.figures.canvas import text_width

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP: Final = 7.0
_ROUNDS: Final = 8
_OUTSIDE: Final = 10.0
_COVERED: Final = 4.0
_MISTAKEN: Final = 60.0


@dataclass(frozen=True)
class Box:
    """A rectangle on the drawing."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """The area that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(wide, 0.0) * max(high, 0.0)

    def outside(self, other: Box) -> float:
        """How much of it lies outside ``other``."""
        area = (self.right - self.left) * (self.bottom - self.top)
        return area - self.overlap(other)

    def distance(self, x: float, y: float) -> float:
        """From the rectangle to a point; 0 within."""
        across = max(self.left - x, x - self.right, 0.0)
        return hypot(across, max(self.top - y, y - self.bottom, 0.0))


@dataclass(frozen=True)
class Wanted:
    """A text that belongs beside the point at ``x`` and ``y``."""

    text: str
    x: float
    y: float
    size: float
    bold: bool = False


@dataclass(frozen=True)
class Label:
    """A text with its base line, and whether it ends ("end"), starts or is centred there."""

    text: str
    x: float
    y: float
    anchor: str
    box: Box


def stairs(corners: Sequence[tuple[float, float]], right: float) -> list[tuple[float, float]]:
    """The line through ``corners`` (from left to right) that goes across before it goes up or down."""
    found: list[tuple[float, float]] = []
    for x, y in corners:
        if found:
            found.append((x, found[-1][1]))
        found.append((x, y))
    return [*found, (right, found[-1][1])] if found else []


def along(line: Sequence[tuple[float, float]]) -> list[Box]:
    """The room that a line of horizontal and vertical parts takes."""
    return [
        Box(min(a, b) - 1, min(up, down) - 2, max(a, b) + 1, max(up, down) + 2)
        for (a, up), (b, down) in pairwise(line)
    ]


def placed(wanted: Sequence[Wanted], within: Box, lines: Sequence[Box]) -> list[Label]:
    """A label for each point, where it covers least and is nobody else's.

    ``lines`` may be covered if need be. Each label is placed again once all the others are known,
    until nothing moves.
    """
    choices = [_candidates(each) for each in wanted]
    found = [labels[0] for labels in choices]
    fixed = [
        [
            _alone(label, each, wanted, within) + sum(map(label.box.overlap, lines))
            for label in labels
        ]
        for each, labels in zip(wanted, choices, strict=True)
    ]
    for _ in range(_ROUNDS):
        before = list(found)
        for index, labels in enumerate(choices):
            others = [label.box for place, label in enumerate(found) if place != index]
            costs = [
                cost + _COVERED * sum(map(label.box.overlap, others))
                for cost, label in zip(fixed[index], labels, strict=True)
            ]
            found[index] = labels[costs.index(min(costs))]
        if found == before:
            break
    return found


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places from ``low`` to ``high`` near the ``wanted``, ``gap`` apart and in their order.

    The sum of the squared distances is the least. Where there is no room for all they stand closer.
    """
    if not wanted:
        return []
    gap = min(gap, (high - low) / max(len(wanted) - 1, 1))
    order = sorted(range(len(wanted)), key=lambda index: (wanted[index], index))
    # Without the gaps the places need only not to fall: neighbours that do are put at their mean.
    groups: list[tuple[float, int]] = []
    for place, index in enumerate(order):
        mean, size = wanted[index] - gap * place, 1
        while groups and groups[-1][0] > mean:
            before, count = groups.pop()
            mean, size = (before * count + mean * size) / (count + size), size + count
        groups.append((mean, size))
    level = [mean for mean, size in groups for _ in range(size)]
    most = high - gap * (len(wanted) - 1)
    found = [0.0] * len(wanted)
    for place, index in enumerate(order):
        found[index] = min(max(level[place], low), most) + gap * place
    return found


def on_lines(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float] | None:
    """Places for names that stand on their lines; None where one would stand on another's."""
    places = apart(wanted, gap, low, high)
    far = (abs(place - want) for place, want in zip(places, wanted, strict=True))
    return None if max(far, default=0.0) > gap / 2 else places


def _alone(label: Label, own: Wanted, points: Sequence[Wanted], within: Box) -> float:
    """What a label costs whatever the others do: outside, over a dot, far off, or nearer to another.

    Areas and distances of the drawing; the weights say what is worse.
    """
    box = label.box
    far = box.distance(own.x, own.y)
    dots = sum(box.overlap(Box(p.x - 5, p.y - 5, p.x + 5, p.y + 5)) for p in points)
    mistaken = sum(p is not own and box.distance(p.x, p.y) <= far for p in points)
    return _OUTSIDE * box.outside(within) + _COVERED * dots + _MISTAKEN * mistaken + far


def _candidates(wanted: Wanted) -> list[Label]:
    """Eight places around the point, and the same farther above and below."""
    x, y, size = wanted.x, wanted.y, wanted.size
    width = text_width(wanted.text, size, bold=wanted.bold)
    places = [("start", x + _GAP, y + size * 0.35), ("end", x - _GAP, y + size * 0.35)]
    for far in (0.0, size, 2 * size):
        above, below = y - _GAP - far, y + _GAP + size * 0.8 + far
        places += [("middle", x, above), ("middle", x, below)]
        places += [("start", x + 3, above), ("start", x + 3, below)]
        places += [("end", x - 3, above), ("end", x - 3, below)]
    found = []
    for anchor, at, base in places:
        left = {"start": at, "middle": at - width / 2, "end": at - width}[anchor]
        box = Box(left, base - size * 0.8, left + width, base + size * 0.25)
        found.append(Label(wanted.text, at, base, anchor, box))
    return found
