"""Sizes of millions of weights, compiled for the CPU: count them, then mark the large ones.

A magnitude's bits, read as an integer, are ordered as the magnitudes are: zeros, denormals and
infinity too, and only NaN is beyond infinity. The upper 15 of these 31 bits are an entry's *bin*:
its exponent and 7 bits more, so that a bin is at most 1/128 of a magnitude wide.

Arrays are flat: ``bits`` are float32 weights seen as uint32, ``legal`` and ``kept`` booleans seen
as uint8, all of the same length; ``legal`` None allows every entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bits = NDArray[np.uint32]
    Marks = NDArray[np.uint8]
    Numbers = NDArray[np.int64]

BINS: Final = 1 << 15
MAGNITUDE: Final = np.uint32(0x7FFF_FFFF)
_INFINITY: Final = np.uint32(0x7F80_0000)
_LOWER: Final = np.uint32(16)


@njit(cache=True, error_model="numpy")
def histogram(bits: Bits, legal: Marks | None, counts: Numbers) -> int:
    """Add the legal entries of each bin to ``counts`` [BINS]; how many entries, legal or not, are NaN."""
    broken = 0
    for i in range(bits.shape[0]):
        size = bits[i] & MAGNITUDE
        broken += size > _INFINITY
        counts[size >> _LOWER] += 1 if legal is None else legal[i]
    return broken


@njit(cache=True, error_model="numpy")
def split(bits: Bits, legal: Marks | None, chosen: int, kept: Marks, inside: Numbers) -> int:
    """Set ``kept`` to the legal entries over the bin ``chosen``; list those inside it, in order.

    ``inside`` has room for them; how many there are. Weights that another process moves meanwhile
    may make a wrong choice, but never write beyond that room.
    """
    found = 0
    for i in range(bits.shape[0]):
        of = (bits[i] & MAGNITUDE) >> _LOWER
        may = np.uint8(1) if legal is None else legal[i]
        kept[i] = may & np.uint8(of > chosen)
        if may & np.uint8(of == chosen) and found < inside.shape[0]:
            inside[found] = i
            found += 1
    return found
