"""How many bits a stored value really has: measured from the values, never from a flag.

A tensor is as wide as the narrowest code that holds all its values exactly: 32-bit floats, 16-bit
floats, a codebook (few distinct values, each an index into a table of 32-bit floats), or a uniform grid
(integers times a 32-bit scale, one for the tensor or one for each output channel).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from torch import Tensor

FULL = 32
HALF = 16
_MOST_LEVELS = 4096
_SAMPLE = 16384

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
        return self.bits < HALF

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
    elif channels is not None:
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


def _steps(levels: Tensor) -> tuple[int, float] | None:
    """(largest multiple, scale) if every level is a whole number of times one scale, exactly."""
    magnitudes = levels.abs().double().unique()
    gaps = magnitudes.diff()
    smallest = min([float(magnitudes[0]), *([float(gaps.min())] if gaps.numel() else [])])
    if smallest <= 0 or float(magnitudes[-1]) / smallest > 2 * _MOST_LEVELS:
        return None
    largest = round(float(magnitudes[-1]) / smallest)
    scale = float(magnitudes[-1]) / largest
    whole = (levels.double() / scale).round()
    # Exact in the values' own type, however the scale was multiplied: in 32 bits or in 64.
    exact = (whole * scale).to(levels.dtype) == levels
    single = whole.to(levels.dtype) * torch.tensor(scale, dtype=levels.dtype) == levels
    return (largest, scale) if bool((exact | single).all()) else None


def _bits_of(levels: Tensor, largest: int, scale: float) -> int:
    """Bits of the integers: two's complement, or unsigned where no level is negative."""
    lowest = round(float(levels.min()) / scale)
    highest = round(float(levels.max()) / scale)
    if lowest >= 0:
        return max(1, highest.bit_length())
    if largest == 1:
        return 1  # ±1 with the zeros in the bitmask
    return max(highest.bit_length(), (-lowest - 1).bit_length()) + 1


def _grid(levels: Tensor) -> list[Width]:
    steps = _steps(levels)
    if steps is None:
        return []
    return [Width(_bits_of(levels, *steps), "grid", FULL, levels.numel())]


def _grid_per_channel(values: Tensor, channels: Tensor) -> list[Width]:
    """One scale for each channel, one width for the tensor; nothing if any channel has no grid."""
    order = torch.argsort(channels, stable=True)
    sizes = torch.bincount(channels)
    widest, most = 1, 0
    pieces = values[order].split([int(size) for size in sizes])
    for piece in sorted((p for p in pieces if p.numel()), key=lambda p: -p.numel()):
        levels = piece.unique()
        steps = _steps(levels) if levels.numel() <= 256 else None  # an 8-bit channel has no more
        if steps is None or (levels.numel() == piece.numel() and piece.numel() > 16):
            return []
        widest = max(widest, _bits_of(levels, *steps))
        most = max(most, levels.numel())
    scales = int((sizes > 0).sum())
    return [Width(widest, "grid per channel", FULL * scales, most)]
