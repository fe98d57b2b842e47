"""What is set while a model is evaluated, and set back after."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; each module's own mode comes back."""
    training = [(module, module.training) for module in model.modules()]
    try:
        for module, _ in training:
            module.training = False
        with torch.no_grad():
            yield
    finally:
        for module, mode in training:
            module.training = mode


@contextmanager
def unpacked(model: nn.Module, tokens: int) -> Iterator[None]:
    """One token through 32-bit weights: without oneDNN.

    It packs an LSTM's weights anew in every call: 70 ms a token instead of 4 for the track's baseline.
    """
    packs = torch._C._get_mkldnn_enabled()  # torch.backends.mkldnn.flags warns about TF32
    if tokens > 1 or not packs or any(p.dtype != torch.float32 for p in model.parameters()):
        yield
        return
    torch._C._set_mkldnn_enabled(False)  # noqa: FBT003
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(packs)
