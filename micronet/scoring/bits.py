"""How many bits a stored value really has: measured from the values, never from a flag.

A tensor is as wide as the narrowest code that holds all its values exactly: 32-bit floats, 16-bit
floats, a codebook (few distinct values, each an index into a table of 32-bit floats), or a uniform grid
(integers times a 32-bit scale, with or without a 32-bit zero point, for the tensor or for each output
channel).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2
from typing import TYPE_CHECKING, Literal

import torch

from micronet.scoring.grids import (
    ENOUGH,
    MOST_LEVELS,
    MOST_STEPS,
    Integers,
    distinct,
    evidence,
    integers,
    scale_of,
)

if TYPE_CHECKING:
    from torch import Tensor

FULL = 32
HALF = 16
_SAMPLE = 16384
_FRACTION_BITS = {torch.float16: 10, torch.bfloat16: 7}
_MOST_LEVELS_OF_HALVES = 256
"""16-bit floats have few different values by nature; a codebook of them is narrower than a float."""

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
    if floats.element_size() == 1:
        return Width(8)
    fraction = _fraction_bits(floats)
    candidates = [Width(FULL if fraction is None else HALF)]
    levels = _levels(floats)
    if levels is not None:
        if fraction is None or levels.numel() <= _MOST_LEVELS_OF_HALVES:
            candidates.append(_codebook(levels))
        candidates += _grid(levels, fraction)
    if channels is not None:
        candidates += _grid_per_channel(floats, channels, fraction)
    return min(candidates, key=lambda width: (width.total(floats.numel()), width.bits))


def _integers(values: Tensor) -> Width:
    largest = max(int(values.max()), -int(values.min()) - 1, 1)
    return Width(largest.bit_length() + (int(values.min()) < 0), "grid")


def _fraction_bits(values: Tensor) -> int | None:
    """Bits of fraction that all values fit in if they are 16-bit floats, the fewer; else None."""
    found = [bits for dtype, bits in _FRACTION_BITS.items() if _holds(dtype, values)]
    return min(found) if found else None


def _holds(dtype: torch.dtype, values: Tensor) -> bool:
    return all(
        bool((part.to(dtype).to(values.dtype) == part).all()) for part in (values[:_SAMPLE], values)
    )


def _levels(values: Tensor) -> Tensor | None:
    """The distinct values, or None if there are more than ``MOST_LEVELS``.

    A sample is looked at first, so that real-valued tensors cost next to nothing.
    """
    step = max(1, values.numel() // _SAMPLE)
    if distinct(values[::step]).numel() > MOST_LEVELS:
        return None
    levels = distinct(values)
    return levels if levels.numel() <= MOST_LEVELS else None


def _codebook(levels: Tensor) -> Width:
    count = levels.numel()
    return Width(max(1, ceil(log2(count))), "codebook", FULL * count, count)


def _grid(levels: Tensor, fraction: int | None) -> list[Width]:
    scale = scale_of(levels)
    if scale is None or evidence(levels, scale, fraction) < ENOUGH:
        return []
    bits, count = integers(levels, scale), levels.numel()
    # A zero point is one more number beside the scale.
    return [
        Width(bits.about_zero, "grid", FULL, count),
        Width(bits.from_lowest, "grid", 2 * FULL, count),
    ]


def _grid_per_channel(values: Tensor, channels: Tensor, fraction: int | None) -> list[Width]:
    """One scale for each channel, one width for the tensor; nothing if any channel has no grid."""
    if not torch.equal(channels, channels.cummax(0).values):  # not in order already
        channels, order = channels.sort(stable=True)
        values = values[order]
    sizes = torch.bincount(channels)
    widest, most, proof = Integers(1, 1), 0, 0.0
    pieces = values.split([int(size) for size in sizes])
    for piece in sorted((p for p in pieces if p.numel()), key=lambda p: -p.numel()):
        levels = distinct(piece)
        if not bool(levels.any()):
            continue
        scale = scale_of(levels) if levels.numel() <= MOST_STEPS else None
        if scale is None:
            return []
        widest = Integers(*map(max, widest, integers(levels, scale)))
        most = max(most, levels.numel())
        proof += evidence(levels, scale, fraction)
    if proof < ENOUGH or most == 1:  # one value a channel says nothing about its code
        return []
    scales = FULL * int((sizes > 0).sum())
    return [
        Width(widest.about_zero, "grid per channel", scales, most),
        Width(widest.from_lowest, "grid per channel", 2 * scales, most),
    ]
