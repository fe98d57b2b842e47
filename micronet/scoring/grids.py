"""Uniform grids: the scale that every one of some values is a whole number of times, exactly."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

MOST_LEVELS = 4096
MOST_STEPS = 511
"""The largest integer of a channel of up to 8 bits and sign, or with a zero point."""
ENOUGH = 20.0
"""Bits of evidence: one tensor in a million real-valued ones may pass for a grid."""


class Integers(NamedTuple):
    """Bits of the integers of a grid: signed or unsigned about zero, and counted from the lowest."""

    about_zero: int
    from_lowest: int


def distinct(values: Tensor) -> Tensor:
    """The different values, in order: ``Tensor.unique``, but numpy sorts up to 20 times faster."""
    if values.dtype == torch.bfloat16:  # numpy does not know it
        different: Tensor = values.unique()
        return different
    ordered = np.sort(values.numpy(force=True), axis=None)
    first = np.ones(ordered.shape, dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return torch.from_numpy(ordered[first])


def on_grid(values: Tensor) -> bool:
    """Whether ``values`` (some, flat) could be one channel of integers times a scale."""
    levels = distinct(values)
    return levels.numel() <= MOST_STEPS and scale_of(levels) is not None


def scale_of(levels: Tensor) -> float | None:
    """The largest scale that every level is a whole number of times; None if there is none."""
    if not bool(levels.isfinite().all()):  # a mask of −∞ has no grid
        return None
    magnitudes = distinct(levels.abs().double())
    magnitudes = magnitudes[magnitudes > 0]
    if not magnitudes.numel():
        return None
    gaps = magnitudes.diff()
    smallest = min([float(magnitudes[0]), *([float(gaps.min())] if gaps.numel() else [])])
    for step in (smallest, _common_step(magnitudes)):
        if step is not None and float(magnitudes[-1]) / step <= 2 * MOST_LEVELS:
            scale = _exact_scale(magnitudes, step, levels.dtype)
            if scale is not None:
                return scale
    return None


def _common_step(magnitudes: Tensor) -> float | None:
    """Euclid's algorithm on rounded numbers, for the few values of a small channel."""
    if magnitudes.numel() > MOST_STEPS:
        return None
    top = float(magnitudes[-1])
    step, *rest = magnitudes.tolist()
    for magnitude in rest:
        a, b = magnitude, step
        while b > top / (4 * MOST_STEPS):
            a, b = b, abs(a - round(a / b) * b)
        step = magnitude / round(magnitude / a)  # as exact as the values are
    return step if top / step <= MOST_STEPS + 0.5 else None


def _exact_scale(magnitudes: Tensor, step: float, dtype: torch.dtype) -> float | None:
    """A scale near ``step`` whose multiples round to the magnitudes in their own type.

    Each magnitude m = k · scale, rounded, bounds the scale by (m ± half a unit in the last place) / k.
    """
    top = float(magnitudes[-1])
    whole = (magnitudes / (top / round(top / step))).round()
    if not bool(whole.all()):
        return None
    mantissa, exponent = torch.frexp(magnitudes)
    above = torch.ldexp(torch.full_like(magnitudes, torch.finfo(dtype).eps), exponent - 2)
    below = torch.where(mantissa == 0.5, above / 2, above)  # a power of two
    low = float(((magnitudes - below) / whole).max())
    high = float(((magnitudes + above) / whole).min())
    scale = (low + high) / 2
    exact = low <= high and bool(((whole * scale).to(dtype).double() == magnitudes).all())
    return scale if exact else None


def evidence(levels: Tensor, scale: float, fraction: int | None) -> float:
    """Bits of evidence that some levels were put on their grid, rather than happen to lie on it.

    A float with so many bits of ``fraction`` (None: all of its type) hits a multiple of the scale with
    probability (unit in its last place) / scale. One level does not count, because the scale was made
    to fit it, and choosing the scale among the ratios of integers up to n takes 2 · log₂ n bits.
    """
    magnitudes = distinct(levels.abs().double())
    magnitudes = magnitudes[magnitudes > 0]
    if magnitudes.numel() == 1:
        return ENOUGH  # ±1
    if fraction is None:
        fraction = -round(log2(torch.finfo(levels.dtype).eps))
    units = torch.frexp(magnitudes).exponent - 1 - fraction
    bits = (log2(scale) - units.double()).clamp(min=0)
    return float(bits.sum() - bits.max()) - 2 * log2(float(magnitudes[-1]) / scale)


def integers(levels: Tensor, scale: float) -> Integers:
    """How wide the integers behind some levels are."""
    lowest, highest = (round(float(level) / scale) for level in (levels.min(), levels.max()))
    span = max(1, (max(highest, 0) - min(lowest, 0)).bit_length())
    if lowest >= 0:
        return Integers(max(1, highest.bit_length()), span)
    if lowest == -1 and highest == 1 and levels.numel() == 2:
        return Integers(1, span)  # ±1 with the zeros in the bitmask
    return Integers(max(highest.bit_length(), (-lowest - 1).bit_length()) + 1, span)
