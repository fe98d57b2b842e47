"""How a network is computed while it trains: node-major where that is faster, else as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


class Computed(nn.Module):
    """``model`` as training computes it: images [n, 3, s, s] → logits [n, classes], float32.

    On a CPU in float32, node-major where there is such a form (see ``nodes``); unless ``split``:
    then batch norms ask other processes, which the node-major form does not. ``autocast``: "bf16"
    computes what torch thinks safe in bfloat16. Other networks of convolutions compute channels-last.
    """

    def __init__(self, model: nn.Module, autocast: str = "none", *, split: bool = False) -> None:
        super().__init__()
        from micronet.training.nodes.networks import node_major

        self.model, self.autocast = model, autocast
        has_statistics = any(isinstance(each, nn.BatchNorm2d) for each in _of_nodes(model))
        self._fast = None if autocast != "none" or (split and has_statistics) else node_major(model)
        self._fast_in_eval = not has_statistics
        if self._fast is None:
            model.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """The logits."""
        on_cpu = images.device.type == "cpu"
        if self._fast is not None and on_cpu and (self.training or self._fast_in_eval):
            return self._fast(images)
        if self._fast is None:
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.autocast == "bf16"):
            logits: Tensor = self.model(images)
        return logits.float()


def _of_nodes(model: nn.Module) -> list[nn.Module]:
    """The modules but those of a part that is computed as it is (the tiny nets' downsampling)."""
    return [m for name, m in model.named_modules() if not name.startswith("downsample")]
