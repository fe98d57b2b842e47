"""How the needed elements of one tensor are packed: their measured width and the cheapest mask.

Masks come in flat, over the storage that the tensor lies in, in memory order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from micronet.scoring import patterns
from micronet.scoring.bits import HALF, Width, measure
from micronet.scoring.blocks import Mask, cheapest
from micronet.scoring.grids import on_grid

if TYPE_CHECKING:
    from torch import Tensor

_CHANNEL_AXES = (0, 1)  # 1: the weight of ``x @ w`` and of a transposed convolution


def flat_of(content: Tensor) -> Tensor:
    """All elements of the storage that ``content`` lives in, in memory order."""
    storage = content.untyped_storage()
    return torch.empty(0, dtype=content.dtype).set_(storage)


def width_of(content: Tensor, needed: Tensor) -> Width:
    """The narrowest code for the needed elements, with one scale a channel where that is cheaper."""
    flat = flat_of(content)
    count = int(needed.count_nonzero())
    values = flat if count == flat.numel() else flat[needed]
    found = [measure(values)]
    floats = flat.dtype.is_floating_point
    if count and floats and content.ndim > 1 and content.numel() == flat.numel():
        view = _like(content, needed)
        for axis in _CHANNEL_AXES:
            one_each = content.numel() == content.shape[axis]  # says nothing about the code
            if not one_each and _first_channel_on_grid(content, view, axis):
                where = needed.nonzero().flatten()
                channels = where // max(content.stride(axis), 1) % content.shape[axis]
                found.append(measure(values, channels))
    return min(found, key=lambda width: width.total(count))


def _first_channel_on_grid(content: Tensor, needed: Tensor, axis: int) -> bool:
    """A quick look, so that real-valued tensors cost next to nothing."""
    others = [dim for dim in range(needed.ndim) if dim != axis]
    first = int(patterns.any_over(needed, others).nonzero()[0])
    return on_grid(content.select(axis, first)[needed.select(axis, first)])


def _like(content: Tensor, flat: Tensor) -> Tensor:
    """A flat mask of a storage, seen as the tensor that lies in it."""
    view = flat.contiguous().as_strided(content.shape, content.stride(), content.storage_offset())
    return view if view.ndim > 1 else view.reshape(1, -1)


def mask_of(content: Tensor, live: Tensor, read: Tensor, width: Width) -> Mask:
    """The cheapest mask over the live rows and columns of a weight.

    A row or column without a live edge belongs to a dead channel and is not stored at all; elements
    that the network never reads (a wiring's backward edges) have no place in the stored tensor.
    """
    # Other parameters lie in the same storage, or its elements are no rows and columns.
    if content.numel() != live.numel() or content.ndim < 2:
        return _unshaped(live, read, width)
    live, read = _like(content, live), _like(content, read)
    rows = patterns.any_over(live, range(1, live.ndim))
    live, read = live[rows], read[rows]
    if not live.numel():
        return Mask(0, 0, ())
    columns = patterns.any_over(live, [dim for dim in range(live.ndim) if dim != 1])
    live, read = live[:, columns], read[:, columns]
    if not patterns.all_true(read):
        return _unshaped(live, read, width)
    return cheapest(live if live.ndim == 2 else live.flatten(2), *_masked_bits(width))


def _unshaped(live: Tensor, read: Tensor, width: Width) -> Mask:
    """The cheaper of no mask and one bit an element that is read."""
    bits, with_zero = _masked_bits(width)
    place, ones = int(read.count_nonzero()), int(live.count_nonzero())
    choices = (Mask(place, ones, (1,)), Mask(0, place, (), zeros=ones < place))
    return min(choices, key=lambda mask: mask.total(bits, with_zero))


def _masked_bits(width: Width) -> tuple[int, int]:
    """Bits of a value beside a mask, and where zeros are stored too."""
    bits = width.bits if width.quantised else min(width.bits, HALF)
    return bits, width.bits_with_zero if width.quantised else bits
