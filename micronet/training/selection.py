"""The k largest of one or many weights, fast enough for every step of training.

Nothing is sorted and nothing is remembered. One pass counts magnitudes by their upper bits, which
tells the bin that holds the k-th; a second one marks what is above it; and only what is inside,
about one entry in a hundred, is ranked. The edges are those of a stable sort of all magnitudes:
among equal ones the first win, of the first weight, then by flat index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from micronet.errors import MicronetError
from micronet.wiring import keep_largest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

_EXACT_IN_FLOAT32: Final = (torch.float32, torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Candidates:
    """One ``weight`` of any shape, and where the choice goes: ``kept``, boolean of this shape.

    ``legal`` (boolean, the same shape) may be chosen; None allows every entry.
    """

    weight: Tensor
    legal: Tensor | None
    kept: Tensor


@torch.no_grad()
def select(candidates: Sequence[Candidates], count: int) -> float | None:
    """Set all ``kept`` to the ``count`` legal entries of largest magnitude; the smallest of these.

    None if ``count`` is 0. MicronetError, and no ``kept`` is touched, if there are not so many or
    if a weight is NaN.
    """
    compiled = all(_can_be_compiled(each) for each in candidates)
    return (_select_compiled if compiled else _select_in_torch)(candidates, count)


def _can_be_compiled(each: Candidates) -> bool:
    return each.weight.dtype in _EXACT_IN_FLOAT32 and each.weight.device.type == "cpu"


def _select_compiled(candidates: Sequence[Candidates], count: int) -> float | None:
    from micronet.training import selection_kernels as kernels

    flats = [_Flat.of(each) for each in candidates]
    counts = np.zeros(kernels.BINS, np.int64)
    broken = [kernels.histogram(each.bits, each.legal, counts) for each in flats]
    _check(count, int(counts.sum()), nan=any(broken))
    chosen, above = _bin_of(counts, count)
    inside = []
    for each in flats:
        places = np.empty(counts[chosen], np.int64)
        found = kernels.split(each.bits, each.legal, chosen, each.kept, places)
        inside.append(places[:found])
    sizes = np.concatenate(
        [each.bits[places] & kernels.MAGNITUDE for each, places in zip(flats, inside, strict=True)]
    )
    best, threshold = _largest(sizes, count - above)
    parts = np.split(best, np.cumsum([len(places) for places in inside])[:-1])
    for each, places, part in zip(flats, inside, parts, strict=True):
        each.kept[places[part]] = 1
        each.store()
    return threshold


@dataclass(frozen=True)
class _Flat:
    """Candidates as flat arrays: see `selection_kernels`."""

    bits: NDArray[np.uint32]
    legal: NDArray[np.uint8] | None
    kept: NDArray[np.uint8]
    target: Tensor

    @staticmethod
    def of(each: Candidates) -> _Flat:
        """Views where the memory allows, else copies; float32 holds the shorter types exactly."""
        bits = _flat(each.weight.detach().float(), np.uint32)
        legal = None if each.legal is None else _flat(each.legal, np.uint8)
        return _Flat(bits, legal, _flat(each.kept, np.uint8), each.kept)

    def store(self) -> None:
        """Write ``kept`` to where it goes, if it is a copy."""
        if not self.target.is_contiguous():
            self.target.copy_(torch.from_numpy(self.kept.view(np.bool_)).view(self.target.shape))


def _flat(tensor: Tensor, seen_as: Any) -> NDArray[Any]:
    return tensor.contiguous().numpy().reshape(-1).view(seen_as)


def _bin_of(counts: NDArray[np.int64], count: int) -> tuple[int, int]:
    """The bin of the ``count``-th largest, and how many are in the bins above it."""
    reached = counts[::-1].cumsum()
    steps = int(np.searchsorted(reached, count))
    chosen = len(counts) - 1 - steps
    return chosen, int(reached[steps] - counts[chosen])


def _largest(sizes: NDArray[np.uint32], count: int) -> tuple[NDArray[np.bool_], float | None]:
    """Mask of the ``count`` largest, the first among equal ones, and the smallest as a float."""
    if count == 0:
        return np.zeros(len(sizes), np.bool_), None
    rank = len(sizes) - count
    threshold = np.partition(sizes, rank)[rank]
    best = sizes > threshold
    ties = np.flatnonzero(sizes == threshold)
    best[ties[: count - np.count_nonzero(best)]] = True
    return best, float(threshold.view(np.float32))


def _select_in_torch(candidates: Sequence[Candidates], count: int) -> float | None:
    """The same on any device and type, by torch's own selection over all weights laid end to end."""
    device = candidates[0].weight.device
    sizes = torch.cat([each.weight.detach().abs().flatten().to(device) for each in candidates])
    legal = torch.cat([_legal(each).flatten().to(device) for each in candidates])
    _check(count, int(legal.sum()), nan=bool(sizes.isnan().any()))
    kept = keep_largest(sizes, count, legal)
    parts = kept.split([each.weight.numel() for each in candidates])
    for each, part in zip(candidates, parts, strict=True):
        each.kept.copy_(part.view(each.kept.shape))
    return float(sizes[kept].min()) if count else None


def _legal(each: Candidates) -> Tensor:
    return torch.ones_like(each.kept) if each.legal is None else each.legal


def _check(count: int, available: int, *, nan: bool) -> None:
    if nan:
        raise MicronetError("Cannot rank edges: some weights are NaN.", "Lower the learning rate.")
    if not 0 <= count <= available:
        raise MicronetError(f"Cannot keep {count} of {available} edges.", "Change the budget.")
