"""A sparse tensor as the challenge prices it: one bit an element, and the values that are not zero.

MicroNet Challenge 2019, Scoring §1: "nonzero values + a bitmask of the full tensor shape".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from micronet.checkpoints.source import RefusedError

RECORD_OVERHEAD_BYTES: Final = 512  # headers, directory entry, alignment of one more record


@dataclass(frozen=True)
class Packed:
    """``mask``: uint8, element i is bit i % 8 of byte i // 8; ``values``: those set, in order."""

    shape: tuple[int, ...]
    mask: torch.Tensor
    values: torch.Tensor


def pack(tensor: torch.Tensor) -> Packed:
    """Exact, but that a negative zero becomes zero."""
    flat = tensor.detach().contiguous().flatten()
    present = flat != 0
    mask = torch.from_numpy(np.packbits(present.numpy(), bitorder="little"))
    return Packed(tuple(tensor.shape), mask, flat[present].clone())


def unpack(packed: Packed) -> torch.Tensor:
    """The tensor; RefusedError if bits and values do not agree with the shape."""
    numel = math.prod(packed.shape)
    mask, values = packed.mask, packed.values
    if mask.dtype != torch.uint8 or mask.dim() != 1 or len(mask) != -(-numel // 8):
        raise RefusedError(f"a bitmask of {mask.numel()} bytes for {numel} elements")
    bits = np.unpackbits(mask.numpy(), bitorder="little")
    if bits[numel:].any() or values.dim() != 1 or int(bits.sum()) != len(values):
        raise RefusedError(f"a bitmask of {int(bits.sum())} bits for {values.numel()} values")
    flat = torch.zeros(numel, dtype=values.dtype)
    flat[torch.from_numpy(bits[:numel]).bool()] = values
    return flat.view(packed.shape)


def packing_saves(tensor: torch.Tensor) -> bool:
    """Whether bitmask and values need fewer bytes than the tensor as it is."""
    item = tensor.element_size()
    packed = -(-tensor.numel() // 8) + int(torch.count_nonzero(tensor)) * item
    return packed + RECORD_OVERHEAD_BYTES < tensor.numel() * item
