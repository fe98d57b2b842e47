"""The sha256 of what a network has learned, where no file stands for it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import nn

    from micronet.checkpoints.target import LoadedTarget


def state_sha256(model: nn.Module) -> str | None:
    """Hexadecimal sha256 over the tensors of ``model``'s state, the same on every device.

    In the order of their names: name, type and shape as a line of JSON, then the bytes, row by
    row. A tensor that two names share counts under both, as two equal ones would. None if part of
    the state is no plain tensor with memory (packed quantised weights, the meta device).
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if not isinstance(tensor, torch.Tensor) or tensor.is_meta or tensor.is_quantized:
            return None
        if tensor.layout != torch.strided:
            return None
        dtype = str(tensor.dtype).removeprefix("torch.")
        digest.update(f"{json.dumps([name, dtype, list(tensor.shape)])}\n".encode())
        plain = tensor.detach().to("cpu").resolve_conj().resolve_neg().contiguous()
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def target_facts(loaded: LoadedTarget) -> dict[str, Any]:
    """What a receipt says of the network that was evaluated."""
    return {
        "name": loaded.name,
        "sha256": loaded.sha256,
        "state_sha256": state_sha256(loaded.model),
        "architecture": loaded.architecture,
        "weights": loaded.weights,
    }
