"""How many bits a stored value really has: measured from the values, never from a flag.

A tensor is as wide as the narrowest code that holds all its values exactly: 32-bit floats, 16-bit
floats, a codebook (few distinct values, each an index into a table of 32-bit floats), or a uniform grid
(integers times a 32-bit scale, with or without a 32-bit zero point, for the tensor or for each output
channel).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch

if TYPE_CHECKING:
    from torch import Tensor

FULL = 32
HALF = 16
_MOST_LEVELS = 4096
_SAMPLE = 16384
_MOST_STEPS = 511
"""The largest integer of a channel of up to 8 bits and sign, or with a zero point."""

Code = Literal["float", "codebook", "grid", "grid per channel"]


@dataclass(frozen=True)
class Width:
    """How values are coded: ``bits`` each, and ``table_bits`` for codebooks or scales beside them."""

    bits: int
    code: Code = "float"
    table_bits: int = 0
    levels: int = 0
    """Distinct values found; 0 where they were too many to count."""

    @property
    def quantised(self) -> bool:
        """Whether values are narrower than the 16 bits that anybody may claim for free."""
        return 0 < self.bits < HALF

    @property
    def bits_with_zero(self) -> int:
        """Bits of a value where zeros are stored among the others, and not in a mask."""
        if self.code == "codebook":
            return max(1, ceil(log2(self.levels + 1)))
        return max(self.bits, 2) if self.code.startswith("grid") and self.levels == 2 else self.bits

    def total(self, count: int) -> int:
        """Bits of ``count`` values with their table."""
        return self.bits * count + self.table_bits


UNKNOWN = Width(FULL)


def measure(values: Tensor, channels: Tensor | None = None) -> Width:
    """The narrowest code for ``values`` (flat, nonzero); ``channels`` numbers the channel of each.

    Zeros are left out by the caller: a sparse tensor codes them in its bitmask.
    """
    if values.numel() == 0:
        return Width(0)
    if not values.dtype.is_floating_point:
        return _integers(values)
    floats = values.detach()
    candidates = [_float_width(floats)]
    levels = _levels(floats)
    if levels is not None:
        candidates.append(_codebook(levels))
        candidates += _grid(levels)
    if channels is not None:
        candidates += _grid_per_channel(floats, channels)
    return min(candidates, key=lambda width: (width.total(floats.numel()), width.bits))


def _integers(values: Tensor) -> Width:
    largest = max(int(values.max()), -int(values.min()) - 1, 1)
    return Width(largest.bit_length() + (int(values.min()) < 0), "grid")


def _float_width(values: Tensor) -> Width:
    if values.element_size() <= 2:
        return Width(8 * values.element_size())
    for dtype in (torch.float16, torch.bfloat16):
        sample = values[:_SAMPLE]
        if bool((sample.to(dtype).to(values.dtype) == sample).all()) and bool(
            (values.to(dtype).to(values.dtype) == values).all()
        ):
            return Width(HALF)
    return Width(FULL)


def _levels(values: Tensor) -> Tensor | None:
    """The distinct values, or None if there are more than ``_MOST_LEVELS``.

    A sample is looked at first, so that real-valued tensors cost next to nothing.
    """
    step = max(1, values.numel() // _SAMPLE)
    if values[::step].unique().numel() > _MOST_LEVELS:
        return None
    levels = values.unique()
    return levels if levels.numel() <= _MOST_LEVELS else None


def _codebook(levels: Tensor) -> Width:
    count = levels.numel()
    return Width(max(1, ceil(log2(count))), "codebook", FULL * count, count)


def on_grid(values: Tensor) -> bool:
    """Whether ``values`` (some, flat) could be one channel of integers times a scale."""
    levels = values.unique()
    return levels.numel() <= _MOST_STEPS and _scale(levels) is not None


def _scale(levels: Tensor) -> float | None:
    """The largest scale that every level is a whole number of times, exactly; None if there is none."""
    if not bool(levels.isfinite().all()):  # a mask of −∞ has no grid
        return None
    magnitudes = levels.abs().double().unique()
    magnitudes = magnitudes[magnitudes > 0]
    if not magnitudes.numel():
        return None
    gaps = magnitudes.diff()
    smallest = min([float(magnitudes[0]), *([float(gaps.min())] if gaps.numel() else [])])
    for step in (smallest, _common_step(magnitudes)):
        top = float(magnitudes[-1])
        if step is not None and top / step <= 2 * _MOST_LEVELS:
            scale = top / round(top / step)
            if _fits(levels, scale):
                return scale
    return None


def _common_step(magnitudes: Tensor) -> float | None:
    """Euclid's algorithm on rounded numbers, for the few values of a small channel.

    Two real numbers are a ratio of small integers too easily, so it takes three.
    """
    if not 3 <= magnitudes.numel() <= _MOST_STEPS:
        return None
    top = float(magnitudes[-1])
    step, *rest = magnitudes.tolist()
    for magnitude in rest:
        a, b = magnitude, step
        while b > top / (4 * _MOST_STEPS):
            a, b = b, abs(a - round(a / b) * b)
        step = magnitude / round(magnitude / a)  # as exact as the values are
    return step if top / step <= _MOST_STEPS + 0.5 else None


def _fits(levels: Tensor, scale: float) -> bool:
    """Exact in the values' own type, however the scale was multiplied: in 32 bits or in 64."""
    whole = (levels.double() / scale).round()
    exact = (whole * scale).to(levels.dtype) == levels
    single = whole.to(levels.dtype) * torch.tensor(scale, dtype=levels.dtype) == levels
    return bool((exact | single).all())


class _Integers(NamedTuple):
    """Bits of the integers of a grid: signed or unsigned about zero, and counted from the lowest."""

    about_zero: int
    from_lowest: int


def _bits_of(levels: Tensor, scale: float) -> _Integers:
    lowest, highest = (round(float(level) / scale) for level in (levels.min(), levels.max()))
    span = max(1, (max(highest, 0) - min(lowest, 0)).bit_length())
    if lowest >= 0:
        return _Integers(max(1, highest.bit_length()), span)
    if lowest == -1 and highest == 1 and levels.numel() == 2:  # noqa: PLR2004
        return _Integers(1, span)  # ±1 with the zeros in the bitmask
    return _Integers(max(highest.bit_length(), (-lowest - 1).bit_length()) + 1, span)


def _grid(levels: Tensor) -> list[Width]:
    scale = _scale(levels)
    if scale is None:
        return []
    bits, count = _bits_of(levels, scale), levels.numel()
    # A zero point is one more number beside the scale.
    return [
        Width(bits.about_zero, "grid", FULL, count),
        Width(bits.from_lowest, "grid", 2 * FULL, count),
    ]


def _grid_per_channel(values: Tensor, channels: Tensor) -> list[Width]:
    """One scale for each channel, one width for the tensor; nothing if any channel has no grid."""
    order = torch.argsort(channels, stable=True)
    sizes = torch.bincount(channels)
    widest, most = _Integers(1, 1), 0
    pieces = values[order].split([int(size) for size in sizes])
    for piece in sorted((p for p in pieces if p.numel()), key=lambda p: -p.numel()):
        levels = piece.unique()
        if not bool(levels.any()):
            continue
        scale = _scale(levels) if levels.numel() <= _MOST_STEPS else None
        if scale is None:
            return []
        widest = _Integers(*map(max, widest, _bits_of(levels, scale)))
        most = max(most, levels.numel())
    scales = FULL * int((sizes > 0).sum())
    return [
        Width(widest.about_zero, "grid per channel", scales, most),
        Width(widest.from_lowest, "grid per channel", 2 * scales, most),
    ]
