"""From a tensor's description to the tensor, after checking that it lies inside its storage."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from micronet.checkpoints.source import RefusedError
from micronet.checkpoints.torchfile import ITEM_BYTES, TorchFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from micronet.checkpoints.reductions import TensorRef

MAX_DIMENSIONS: Final = 25


def tensors_of(file: TorchFile, refs: Mapping[str, TensorRef]) -> dict[str, torch.Tensor]:
    """The tensors of ``refs`` under their names, copied out of the file.

    Tensors that share a storage in the file share it here. RefusedError names a tensor that does
    not fit its storage. Memory: at most the bytes of the storages.
    """
    storages: dict[str, torch.Tensor] = {}
    made: dict[str, torch.Tensor] = {}
    for name, ref in refs.items():
        start, count = _window(name, ref)
        key = ref.storage.key
        if key not in storages:
            storages[key] = copied(file.data, *file.places[key])
        numbers = storages[key][start : start + count].view(dtype_of(ref.dtype))
        made[name] = numbers.as_strided(ref.shape, ref.strides, _base(numbers, ref))
    return made


def _base(numbers: torch.Tensor, ref: TensorRef) -> int:
    return int(numbers.storage_offset()) + ref.offset


def _window(name: str, ref: TensorRef) -> tuple[int, int]:
    """Start and length in bytes of the part of the storage that the tensor may use."""
    unit, item = ITEM_BYTES[ref.storage.dtype], ITEM_BYTES.get(ref.dtype)
    if item is None:
        raise RefusedError(f"{name}: tensors of the type {ref.dtype} are not read")
    begin, numel = 0, ref.storage.numel
    if ref.storage.view is not None:
        _, begin, length = ref.storage.view
        if begin + length > numel:
            raise RefusedError(f"{name}: a view of numbers {begin} to {begin + length} of {numel}")
        numel = length
    available = numel * unit // item
    check_fits(name, ref.shape, ref.strides, ref.offset, available)
    return begin * unit, available * item


def check_fits(
    name: str, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, available: int
) -> None:
    """RefusedError unless a strided tensor lies inside ``available`` numbers and repeats none."""
    count = math.prod(shape)
    if len(shape) > MAX_DIMENSIONS or count > available:
        raise RefusedError(
            f"{name}: shape {list(shape)[:8]} needs more than its {available} numbers"
        )
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    if count and last >= available:
        raise RefusedError(f"{name}: reaches number {last} of a storage of {available}")
    if offset > available:
        raise RefusedError(f"{name}: begins at number {offset} of a storage of {available}")


def copied(data: memoryview, start: int, size: int) -> torch.Tensor:
    """``size`` bytes of the file as a new uint8 tensor: free of the file, aligned as torch aligns."""
    made = torch.empty(size, dtype=torch.uint8)
    made.numpy()[:] = np.asarray(data[start : start + size])
    return made


def dtype_of(name: str) -> torch.dtype:
    """The torch type called ``name``, one of ITEM_BYTES."""
    if name not in ITEM_BYTES:
        raise RefusedError(f"tensors of the type {name} are not read")
    found: torch.dtype = getattr(torch, name)
    return found
