"""The uniform grid that computed values lie on, with the rounding that computing left on them.

Fake quantisation makes values scale · k in floats, and often not exactly: a straight-through estimator
adds x and takes it off again, x + (q − x), and loses as many of the 24 bits of a float32 as x is larger
than q. So a value may be off its grid by 16 units in the last place of the largest value: 4 of 24 bits,
for values that were clipped from up to 16 times the range. On a grid of 8 bits that is 1/2,000 of a step.
Whether values that lie so close to a grid were put there is a matter of evidence: real numbers fall
that close with a known probability, and one tensor in a million may.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import TYPE_CHECKING, Final

import numpy as np

from micronet.audit.watched import Grid
from micronet.scoring.grids import ENOUGH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Levels = NDArray[np.float32]

SLACK_ULPS: Final = 16
MOST_STEPS: Final = 2**16 - 1
_APART: Final = 16
_ABOUT: Final = 1.25  # a step that is measured over one gap alone is not exact
_MOST_DIVISOR: Final = 16
"""The smallest gap between levels of which many are missing may be that many steps."""


@dataclass(frozen=True)
class OnGrid:
    """A grid, the steps from the lowest to the highest value, and the bits of evidence for it."""

    grid: Grid
    steps: int
    evidence: float

    @property
    def bits(self) -> int:
        """The width of an integer that counts steps from the lowest value."""
        return self.steps.bit_length()


@dataclass(frozen=True)
class Clusters:
    """Values that rounding alone keeps apart, taken together: the ends of each group, in order."""

    first: Floats
    last: Floats
    slack: float

    def __len__(self) -> int:
        return len(self.first)

    @property
    def apart(self) -> bool:
        """Whether the groups are so far apart that they are no accident of many real numbers."""
        gaps = self.first[1:] - self.last[:-1]
        return bool((gaps > _APART * self.slack).all())

    @property
    def centres(self) -> Floats:
        """The middle of each group."""
        middle: Floats = (self.first + self.last) / 2
        return middle


def clusters(levels: Levels) -> Clusters:
    """Groups of sorted different ``levels`` that are no further apart than rounding may put them."""
    values = levels.astype(np.float64)
    top = np.float32(max(abs(values[0]), abs(values[-1])))
    slack = SLACK_ULPS * float(np.spacing(top))
    starts = np.flatnonzero(np.diff(values, prepend=-np.inf) > 2 * slack)
    ends = np.append(starts[1:], len(values)) - 1
    return Clusters(values[starts], values[ends], slack)


def likely_grid(levels: Levels) -> OnGrid | None:
    """The grid of sorted different ``levels``, if the evidence is that they were put on one."""
    found = any_grid(levels)
    return found if found is not None and found.evidence >= ENOUGH else None


def any_grid(levels: Levels) -> OnGrid | None:
    """The coarsest grid of up to 16 bits that sorted different ``levels`` are on, likely or not."""
    groups = clusters(levels)
    centres = groups.centres
    if len(centres) < 3 or float((groups.last - groups.first).max()) > 2 * groups.slack:
        return None
    away = centres - centres[0]
    smallest = float(np.diff(centres).min())
    for divisor in range(1, _MOST_DIVISOR + 1):
        step = smallest / divisor
        if away[-1] / step > _ABOUT * MOST_STEPS or step <= 4 * groups.slack:
            break
        found = _fitted(groups, away, step, levels)
        if found is not None:
            return found
    return None


def _fitted(groups: Clusters, away: Floats, step: float, levels: Levels) -> OnGrid | None:
    """The grid of about this step through all groups, if there is one."""
    whole = np.rint(away / _sharpened(away, step))
    slope, start = _line(whole, groups.centres)
    line = start + slope * whole
    worst = max(np.abs(groups.first - line).max(), np.abs(groups.last - line).max())
    steps = int(whole[-1])
    if worst > groups.slack or steps > MOST_STEPS or bool((np.diff(whole) < 1).any()):
        return None
    # Two levels fix the step and the offset; choosing the step takes its share of the rest.
    each = log2(slope / (2 * groups.slack))
    evidence = (len(groups) - 2) * each - 2 * log2(steps)
    return OnGrid(_through_zero(groups, whole, slope, start, levels), steps, evidence)


def _sharpened(away: Floats, step: float) -> float:
    """``step`` measured over ever longer distances, so that counting steps never goes wrong by one."""
    reach = 2 * step
    while reach < 2 * away[-1]:
        furthest = float(away[np.searchsorted(away, reach, side="right") - 1])
        if furthest > 0:
            step = furthest / max(round(furthest / step), 1)
        reach *= 2
    return step


def _line(whole: Floats, centres: Floats) -> tuple[float, float]:
    """Slope and start of the straight line through (whole, centres), by least squares."""
    about, middle = whole - whole.mean(), centres.mean()
    slope = float((about * (centres - middle)).sum() / (about * about).sum())
    return slope, float(middle - slope * whole.mean())


def _through_zero(
    groups: Clusters, whole: Floats, slope: float, start: float, levels: Levels
) -> Grid:
    """The grid with 0 on it where it fits as well so, and with the scale that gives exact values."""
    zero = round(start / slope)
    codes = whole + zero
    scale = float((codes * groups.centres).sum() / (codes * codes).sum())
    line = codes * scale
    worst = max(np.abs(groups.first - line).max(), np.abs(groups.last - line).max())
    if worst > groups.slack:
        return Grid(slope, start - zero * slope)
    return Grid(_float32(scale, codes, levels), 0.0)


def _float32(scale: float, codes: Floats, levels: Levels) -> float:
    """The float32 next to ``scale`` that, times ``codes``, rounds to ``levels``; else ``scale``."""
    nearest = np.float32(scale)
    for ulps in (0, 1, -1, 2, -2):
        candidate = float(nearest) + ulps * float(np.spacing(nearest))
        if np.array_equal((codes * candidate).astype(np.float32), levels):
            return candidate
    return scale
