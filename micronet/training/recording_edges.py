"""What happens to the edges between two snapshots of a recording, in as few numbers as will do.

The entries of all weights are laid end to end, in the order of the file's header, so that one number
says where an edge is: its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from micronet.checkpoints.source import RefusedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_CODE: Final = 127  # stands for the largest magnitude of a weight
MOST_ENTRIES: Final = 2**26  # of all weights together: 67 million
MOST_PLANES: Final = 4
_NO_CODE: Final = 128  # the byte of -128


@dataclass(frozen=True)
class Change:
    """From one snapshot to the next, everything in the order of places.

    ``entered``: places of new edges, with their ``codes``. ``left``: which edges are gone, counted
    among those of the snapshot before. ``moves``: what the codes of all others grow by, modulo 256.
    """

    entered: NDArray[np.int64]
    left: NDArray[np.int64]
    codes: NDArray[np.uint8]
    moves: NDArray[np.uint8]


@dataclass(frozen=True)
class Kept:
    """The edges of one snapshot: sorted ``places``, and of each its code, the byte of an int8."""

    places: NDArray[np.int64]
    codes: NDArray[np.uint8]

    @staticmethod
    def none() -> Kept:
        """Before the first snapshot."""
        return Kept(np.empty(0, np.int64), np.empty(0, np.uint8))

    def change_to(self, then: Kept) -> Change:
        """What leads from here to ``then``."""
        stays = np.isin(self.places, then.places, assume_unique=True)
        stayed = np.isin(then.places, self.places, assume_unique=True)
        return Change(
            entered=then.places[~stayed],
            left=np.flatnonzero(~stays),
            codes=then.codes[~stayed],
            moves=then.codes[stayed] - self.codes[stays],
        )

    def after(self, change: Change) -> Kept:
        """The edges after ``change``; RefusedError if it cannot have happened here."""
        if np.isin(change.entered, self.places, assume_unique=True).any():
            raise RefusedError("an edge enters that was there already")
        if len(change.left) and change.left[-1] >= len(self.places):
            raise RefusedError(f"edge {change.left[-1]} leaves, of {len(self.places)} edges")
        places, codes = np.delete(self.places, change.left), np.delete(self.codes, change.left)
        found, expected = (
            (len(change.codes), len(change.moves)),
            (len(change.entered), len(places)),
        )
        if found != expected:
            raise RefusedError(f"{found} codes and moves, expected {expected}")
        at = np.searchsorted(places, change.entered)
        codes = np.insert(codes + change.moves, at, change.codes)
        if (codes == _NO_CODE).any():
            raise RefusedError(f"a code is -128, expected -{LARGEST_CODE} to {LARGEST_CODE}")
        return Kept(np.insert(places, at, change.entered), codes)


def coded(values: NDArray[np.float64]) -> tuple[NDArray[np.uint8], float]:
    """Each value as a whole number from -127 to 127, and the largest magnitude, exactly."""
    largest = float(np.abs(values).max(initial=0.0))
    shares = values / largest if largest else values
    return np.rint(shares * LARGEST_CODE).astype(np.int8).view(np.uint8), largest


def decoded(codes: NDArray[np.uint8], largest: float) -> NDArray[np.float32]:
    """The values: off by at most largest / 254, and by what rounding to float32 takes."""
    exact = codes.view(np.int8).astype(np.float64) * largest / LARGEST_CODE
    return exact.astype(np.float32)


def planes(places: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Sorted places as the gaps between them, byte by byte: [bytes of a gap, places], lowest first.

    A gap is what lies between a place and the one before, so consecutive places have gaps of 0.
    """
    gaps = np.diff(places, prepend=-1) - 1
    count = -(-int(gaps.max(initial=1)).bit_length() // 8)
    return np.stack([gaps >> 8 * byte & 255 for byte in range(count)]).astype(np.uint8)


def places_of(planes: NDArray[np.uint8], entries: int) -> NDArray[np.int64]:
    """What `planes` was made of; RefusedError unless all are places among ``entries``."""
    count, length = planes.shape
    if not 1 <= count <= MOST_PLANES or length > entries:
        raise RefusedError(f"{length} gaps of {count} bytes for {entries} entries")
    gaps = np.zeros(length, np.int64)
    for byte in range(count):
        gaps |= planes[byte].astype(np.int64) << 8 * byte
    places = np.cumsum(gaps + 1) - 1
    if length and places[-1] >= entries:
        raise RefusedError(f"an edge at {places[-1]} among {entries} entries")
    return places
