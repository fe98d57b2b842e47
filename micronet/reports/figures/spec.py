"""What a figure shows, whoever draws it: exact numbers, names, and a sentence for those who cannot see."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction


@dataclass(frozen=True)
class Figure:
    """``name`` is a file's name; ``description`` says in words what the drawing shows."""

    name: str
    title: str
    description: str


@dataclass(frozen=True)
class Point:
    """One network: its cost, its top-1 in percent, and how both are known.

    ``measured`` on the whole data set, else as published. ``comparable``: the cost was counted by
    the rules of the challenge; only such points can be on the front.
    """

    name: str
    x: Fraction
    y: Fraction
    ours: bool
    measured: bool
    comparable: bool
    on_front: bool = False


@dataclass(frozen=True)
class Scatter(Figure):
    """Accuracy against a cost. ``threshold`` in percent."""

    x_title: str
    y_title: str
    points: tuple[Point, ...]
    threshold: Fraction


@dataclass(frozen=True)
class Bar:
    """One stage and the parts of the score that it causes, a part a series."""

    name: str
    parts: tuple[Fraction, ...]


@dataclass(frozen=True)
class Bars(Figure):
    """Stacked bars; all parts add up to ``total``."""

    series: tuple[str, ...]
    bars: tuple[Bar, ...]
    total: Fraction


@dataclass(frozen=True)
class Density:
    """The values of one weight: stored, not zero, and live."""

    name: str
    stage: str
    stored: int
    active: int
    live: int


@dataclass(frozen=True)
class Profile(Figure):
    """How dense each weight is, in the order of the network."""

    layers: tuple[Density, ...]


@dataclass(frozen=True)
class Step:
    """One difference, and where it leads."""

    name: str
    change: Fraction
    after: Fraction


@dataclass(frozen=True)
class Waterfall(Figure):
    """From a claim over its differences to the recount."""

    claim: Step
    steps: tuple[Step, ...]
    recount: Fraction


@dataclass(frozen=True)
class Spread:
    """What several runs came to after ``epoch``: their mean, the least and the most."""

    epoch: int
    mean: Fraction
    low: Fraction
    high: Fraction


@dataclass(frozen=True)
class Curve:
    """One method: a point an epoch, of so many ``runs``. ``colour`` counts from 1."""

    name: str
    colour: int
    runs: int
    points: tuple[Spread, ...]


@dataclass(frozen=True)
class Level:
    """A published ``value`` and what is to be said of it, in full and shorter.

    ``colour`` is that of the curve which it belongs to.
    """

    names: tuple[str, ...]
    colour: int
    value: Fraction


@dataclass(frozen=True)
class Panel:
    """Curves over the same epochs, in percent from ``low`` to ``high``."""

    y_title: str
    low: Fraction
    high: Fraction
    curves: tuple[Curve, ...]
    levels: tuple[Level, ...] = ()


@dataclass(frozen=True)
class Curves(Figure):
    """Panels one above the other, over ``epochs``."""

    epochs: int
    panels: tuple[Panel, ...]


def digest(figure: Figure) -> str:
    """The sha256 of everything that the figure shows, however it is drawn."""
    text = json.dumps([type(figure).__name__, asdict(figure)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
