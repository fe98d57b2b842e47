"""The bitmask of a sparse tensor: one bit an element, or one bit a block where zeros come in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

_SIDES = (1, 2, 4, 8, 16, 32)  # each twice the one before


class Mask(NamedTuple):
    """How a sparse tensor is stored: the bits of its mask and the values beside it."""

    bits: int
    values: int
    block: tuple[int, ...]
    zeros: bool = False
    """Whether zeros are stored among the values, so that the code needs a level for them."""

    def total(self, value_bits: int, bits_with_zero: int) -> int:
        """Bits of mask and values together."""
        return self.bits + self.values * (bits_with_zero if self.zeros else value_bits)


def cheapest(live: Tensor, value_bits: int, bits_with_zero: int) -> Mask:
    """The cheapest of: no mask, one bit an element, one bit a block (whole blocks are stored).

    ``live`` is boolean, [rows, columns] or [rows, columns, taps]. Scoring §1 ¶2: a bitmask of the full
    tensor shape, one bit a block for block sparsity.
    """
    ones = int(live.count_nonzero())
    found = [
        Mask(0, live.numel(), (), zeros=ones < live.numel()),
        Mask(live.numel(), ones, (1,) * live.ndim),
    ]
    if live.ndim >= 2:
        blocks = _blocks(live if live.ndim == 2 else live.flatten(2))
        found += [mask._replace(zeros=ones < mask.values) for mask in blocks]
    return min(found, key=lambda mask: mask.total(value_bits, bits_with_zero))


def _blocks(live: Tensor) -> list[Mask]:
    found = []
    if live.ndim == 3:
        if live.shape[2] > 1:  # whole kernels
            kernels = live.any(2)
            found.append(
                Mask(
                    kernels.numel(),
                    int(kernels.count_nonzero()) * live.shape[2],
                    (1, 1, live.shape[2]),
                )
            )
        live = live.flatten(1)
    tall = live
    for height in _SIDES:
        if height > 1:
            if tall.shape[0] % 2:
                break
            tall = tall[0::2] | tall[1::2]
        tiles = tall
        for width in _SIDES:
            if width > 1:
                if tiles.shape[1] % 2:
                    break
                tiles = tiles[:, 0::2] | tiles[:, 1::2]
            if height * width > 1:
                stored = int(tiles.count_nonzero()) * height * width
                found.append(Mask(tiles.numel(), stored, (height, width)))
    return found
