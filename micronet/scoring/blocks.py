"""The bitmask of a sparse tensor: one bit an element, or one bit a block where zeros come in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

_SIDES = (1, 2, 4, 8, 16, 32)


class Mask(NamedTuple):
    """How a sparse tensor is stored: the bits of its mask and the values beside it."""

    bits: int
    values: int
    block: tuple[int, ...]


def cheapest(live: Tensor, value_bits: int) -> Mask:
    """The cheapest of: no mask, one bit an element, one bit a block (whole blocks are stored).

    ``live`` is boolean, [rows, columns] or [rows, columns, taps]. Scoring §1 ¶2: a bitmask of the full
    tensor shape, one bit a block for block sparsity.
    """
    found = [Mask(0, live.numel(), ()), Mask(live.numel(), int(live.sum()), (1,) * live.ndim)]
    if live.ndim >= 2:
        found += _blocks(live if live.ndim == 2 else live.flatten(2))
    return min(found, key=lambda mask: mask.bits + mask.values * value_bits)


def _blocks(live: Tensor) -> list[Mask]:
    found = []
    if live.ndim == 3:
        if live.shape[2] > 1:  # whole kernels
            kernels = live.any(2)
            found.append(
                Mask(kernels.numel(), int(kernels.sum()) * live.shape[2], (1, 1, live.shape[2]))
            )
        live = live.flatten(1)
    rows, columns = live.shape
    for height in _SIDES:
        for width in _SIDES:
            if height * width == 1 or rows % height or columns % width:
                continue
            tiles = live.reshape(rows // height, height, columns // width, width).any(3).any(1)
            stored = int(tiles.sum()) * height * width
            found.append(Mask(tiles.numel(), stored, (height, width)))
    return found
