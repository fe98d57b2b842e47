"""Names that torch and torchvision gave to tensors in the past, turned into those of today.

Their own loaders do the same, but look for a version that the file's other readers drop.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    Tensors = Mapping[str, torch.Tensor]

_DENSE_LAYER: Final = re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\..*)")
_FIRST_OR_SECOND: Final = re.compile(r"(.*\.mlp)\.linear_([12])\.(.*)")  # of vision transformers
_COUNT: Final = "num_batches_tracked"  # of a batch norm; torch has it since 0.4.1


def modernised(tensors: Tensors, wanted: Tensors) -> dict[str, torch.Tensor]:
    """``tensors`` under the names in ``wanted``, where only the age of the file keeps them apart.

    densenet's ``norm.1`` is today's ``norm1``, a vision transformer's ``mlp.linear_1`` and
    ``linear_2`` are ``mlp.0`` and ``mlp.3``. Batch norms of before torch 0.4.1 have not counted
    their batches, which inference does not ask for.
    """
    found = {_modern(name, wanted): tensor for name, tensor in tensors.items()}
    for name, like in wanted.items():
        norm = name.removesuffix(_COUNT)
        if norm != name and name not in found and f"{norm}running_mean" in found:
            found[name] = torch.zeros(like.shape, dtype=like.dtype)
    return found


def _modern(name: str, wanted: Tensors) -> str:
    if name in wanted:
        return name
    dense, half = _DENSE_LAYER.fullmatch(name), _FIRST_OR_SECOND.fullmatch(name)
    renamed = name
    if dense:
        renamed = f"{dense[1]}{dense[2]}"
    elif half:
        renamed = f"{half[1]}.{3 * (int(half[2]) - 1)}.{half[3]}"
    return renamed if renamed in wanted else name
