"""The values that one operand took over all examples, gathered in bounded memory.

Different values are kept exactly, for the tensor, for each channel and for each example, until there
are too many of them to be a narrow code; from then on only what costs nothing is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import torch

from micronet.audit.grid import any_grid, clusters, likely_grid
from micronet.audit.watched import MOST_DISTINCT
from micronet.scoring.bits import FULL, HALF
from micronet.scoring.grids import ENOUGH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from micronet.audit.watched import Code, Grid

    Levels = NDArray[np.float32]
    Pairs = NDArray[np.uint64]

Number = TypeVar("Number", bound=np.generic)
_MOST_KEPT: Final = 2 * MOST_DISTINCT
"""Rounding may keep values of one code apart: so many are looked at before it is given up."""
_MOST_OF_A_PART: Final = 1024
"""Different values of one channel or one example: 8 bits, and what rounding makes of them."""
_MOST_PAIRS: Final = 2**19
_SAMPLE: Final = 4096
_MOST_LEVELS_OF_HALVES: Final = 256
_MISSING: Final = 4
"""Bits that a table has to save beside a grid: no more than a sixteenth of the integers occur."""
_HALVES: Final[tuple[tuple[Code, torch.dtype], ...]] = (
    ("float16", torch.float16),
    ("bfloat16", torch.bfloat16),
)


@dataclass(frozen=True)
class Coded:
    """How many different values there were, and the narrowest code that holds them."""

    distinct: int | None
    codes: int
    code: Code
    bits: int
    grid: Grid | None


class Seen:
    """Add the operand of one example after another, then ask how its values can be coded."""

    def __init__(self) -> None:
        self.examples = 0
        self.elements = 0
        self.lowest = np.inf
        self.highest = -np.inf
        self._nonzero = 0
        self._levels: Levels = np.empty(0, np.float32)
        self._pairs: Pairs | None = np.empty(0, np.uint64)
        self._images: list[Levels] | None = []
        self._halves = dict(_HALVES)

    def add(self, values: Tensor, axis: int) -> None:
        """Take in the values of one example; ``axis`` counts channels. Floats of 64 bits are rounded.

        Raises ValueError for a value that is no number.
        """
        self.elements += values.numel()
        self.examples += 1
        if not values.numel():
            return
        plain = values.detach().to(torch.float32)
        channels = plain.movedim(axis, 0).flatten(1) if plain.ndim > 1 else plain.reshape(-1, 1)
        low, high = (float(end) for end in plain.aminmax())
        if not low - high <= 0 or np.isinf([low, high]).any():
            raise ValueError("not a number")
        self.lowest, self.highest = min(self.lowest, low), max(self.highest, high)
        self._halves = {
            name: dtype for name, dtype in self._halves.items() if _holds(dtype, plain.flatten())
        }
        if self._open:
            self._nonzero += int(plain.count_nonzero())
            self._gather(channels.contiguous())

    @property
    def _open(self) -> bool:
        """Whether different values are still gathered."""
        narrow = len(self._levels) <= _MOST_KEPT
        return narrow or self._pairs is not None or self._images is not None

    def _gather(self, channels: Tensor) -> None:
        if self._pairs is None:
            fresh = _different(channels.flatten().numpy())
        else:
            pairs = _different(_paired(channels))
            fresh = _different(_values(pairs))
            self._pairs = _fewer(_merged(self._pairs, pairs))
        if len(self._levels) <= _MOST_KEPT:
            self._levels = _merged(self._levels, fresh)
        if self._images is not None:
            self._images = [*self._images, fresh] if len(fresh) <= _MOST_OF_A_PART else None

    def coded(self) -> Coded:
        """The narrowest code of everything that was added; 0 bits where all is one value."""
        levels = self._levels
        distinct = len(levels) if len(levels) <= MOST_DISTINCT else None
        if len(levels) <= 1:
            return Coded(len(levels), len(levels), "constant", 0, None)
        groups = clusters(levels)
        codes = len(groups) if groups.apart else len(levels)
        bits, _, code, grid = min(self._candidates(codes), key=lambda found: found[:2])
        return Coded(distinct, len(groups), code, bits, grid)

    def _candidates(self, codes: int) -> Iterator[tuple[int, int, Code, Grid | None]]:
        """(bits, rank where bits are equal, code, grid)."""
        whole = likely_grid(self._levels) if len(self._levels) <= _MOST_KEPT else None
        index = (codes - 1).bit_length()
        if whole is not None:
            yield whole.bits, 0, "grid", whole.grid
        # An index into a table is a code where the table is the smaller part. 16-bit floats have few
        # values by nature; and of a grid some integers are always missing.
        pays = index * self._nonzero + FULL * codes < FULL * self._nonzero
        few = codes <= _MOST_LEVELS_OF_HALVES or not self._halves
        if pays and few and index <= HALF and (whole is None or index + _MISSING <= whole.bits):
            yield index, 1, "codebook", None
        if whole is None or index + 1 < whole.bits:
            parts = (("grid per channel", self._by_channel()), ("grid per image", self._images))
            for rank, (code, some) in enumerate(parts, start=2):
                width = _apart(some) if some is not None else None
                if width is not None:
                    yield width, rank, code, None  # type: ignore[misc]  # the two words above
        for name in self._halves:
            yield HALF, 4, name, None
        yield FULL, 5, "float", None

    def _by_channel(self) -> list[Levels] | None:
        if self._pairs is None or not len(self._pairs):
            return None
        starts = np.flatnonzero(np.diff(self._pairs >> np.uint64(32), prepend=2**32))
        return np.split(_values(self._pairs), starts[1:])


def _apart(parts: Iterable[Levels]) -> int | None:
    """The width that every part needs on a grid of its own; None without evidence for grids."""
    widest, evidence = 0, 0.0
    for levels in sorted(parts, key=len, reverse=True):
        groups = len(clusters(levels))
        if groups <= 2:  # any two values are on some grid
            widest = max(widest, groups - 1)
            continue
        found = any_grid(levels)
        if found is None:
            return None
        widest, evidence = max(widest, found.bits), evidence + found.evidence
    return widest if evidence >= ENOUGH else None


def _holds(dtype: torch.dtype, values: Tensor) -> bool:
    return all(
        bool((part.to(dtype).to(torch.float32) == part).all())
        for part in (values[:_SAMPLE], values)
    )


def _different(values: NDArray[Number]) -> NDArray[Number]:
    """The different ones of some values, in order."""
    ordered = np.sort(values, axis=None)
    different: NDArray[Number] = ordered[np.append(True, ordered[1:] != ordered[:-1])]
    return different


def _merged(known: NDArray[Number], fresh: NDArray[Number]) -> NDArray[Number]:
    return _different(np.concatenate([known, fresh]))


def _paired(channels: Tensor) -> Pairs:
    """Channel and value in one integer of 64 bits that sorts as the pair does."""
    raw = channels.numpy().view(np.uint32)
    negative = raw >> np.uint32(31) == 1
    ordered = np.where(negative, ~raw, raw | np.uint32(2**31)).astype(np.uint64)
    number = np.arange(len(ordered), dtype=np.uint64)[:, None]
    pairs: Pairs = ordered | number << np.uint64(32)
    return pairs


def _values(pairs: Pairs) -> Levels:
    """The values of some pairs."""
    ordered = pairs.astype(np.uint32)
    negative = ordered >> np.uint32(31) == 0
    raw = np.where(negative, ~ordered, ordered & np.uint32(2**31 - 1))
    return raw.view(np.float32)


def _fewer(pairs: Pairs) -> Pairs | None:
    """The pairs while they may be a narrow code in each channel."""
    counts = np.bincount((pairs >> np.uint64(32)).astype(np.int64))
    few = len(pairs) <= _MOST_PAIRS and int(counts.max(initial=0)) <= _MOST_OF_A_PART
    return pairs if few else None
