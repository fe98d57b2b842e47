"""Round numbers for an axis."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, log10


def ticks(low: Fraction, high: Fraction, about: int) -> tuple[Fraction, ...]:
    """About so many round numbers from ``low`` to ``high``, at least two where these differ."""
    span = high - low or abs(high) or Fraction(1)
    step = _round_step(span / about)
    first, last = ceil(low / step), floor(high / step)
    return tuple(step * index for index in range(first, last + 1))


def decimals(marks: tuple[Fraction, ...]) -> int:
    """How many decimals tell the ``marks`` apart."""
    if len(marks) < 2:
        return 0
    step = marks[1] - marks[0]
    return next(places for places in range(12) if (step * 10**places).denominator == 1)


def _round_step(rough: Fraction) -> Fraction:
    """1, 2 or 5 times a power of ten, the nearest above."""
    power = Fraction(10) ** floor(log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
