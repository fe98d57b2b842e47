"""ResNet-50 v1.5 with every convolution pruned on its own, as in DNW's ImageNet experiments.

Wortsman, Farhadi, Rastegari, "Discovering Neural Wirings", NeurIPS 2019, Table 5; parameter names
are torchvision's, but the classifier is a 1×1 convolution without bias and is pruned like the rest
(allenai/dnw, imagenet_sparsity_experiments).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models import ResNet, resnet50

from micronet.wiring import keep_largest, kept_edges


class ConvolutionalClassifier(nn.Conv2d):
    """A linear layer whose weight is stored as [classes, features, 1, 1]."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__(features, classes, kernel_size=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, features] → [batch, classes]."""
        return super().forward(x[:, :, None, None]).flatten(1)


def build(density: float = 0.1, *, dense_first: bool = False, classes: int = 1000) -> ResNet:
    """A fresh sparse ResNet-50: each convolution keeps its largest weights, a share ``density``.

    ``dense_first`` leaves the first convolution whole. Batch norms are always dense.
    On the meta device nothing is pruned, for weights have no values there.
    """
    model = resnet50(weights=None)
    model.fc = ConvolutionalClassifier(2048, classes)
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d) and not (dense_first and name == "conv1"):
            prune(module, density)
    return model


@torch.no_grad()
def prune(layer: nn.Conv2d, density: float) -> None:
    """Zero all but the largest weights of one layer."""
    if not layer.weight.is_meta:
        layer.weight.mul_(keep_largest(layer.weight, kept_edges(layer.weight.numel(), density)))
