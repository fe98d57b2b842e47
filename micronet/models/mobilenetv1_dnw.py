"""The MobileNetV1-like wiring of DNW: one graph of single-channel nodes per resolution.

Wortsman, Farhadi, Rastegari, "Discovering Neural Wirings", NeurIPS 2019, section 3.3; parameter
names and shapes are those of the released checkpoints (github.com/allenai/dnw). This is the
inference model: the weights are what they are, no edge is chosen in the forward pass.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from micronet.models.edges import Edges
from micronet.wiring import (
    STEM_CHANNELS,
    BlockShape,
    classifier_budget,
    legal_edges,
    mobilenet_blocks,
)

SMALL_IMAGE = 64


def depthwise(channels: int, stride: int) -> nn.Conv2d:
    """A 3×3 convolution on each channel alone, without bias."""
    return nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False)


class Block(nn.Module):
    """One graph: ``inputs`` nodes, then ``levels`` times ``outputs`` nodes, the last level bare.

    A node applies batch norm, ReLU and its 3×3 convolution to the weighted sum of its sources.
    """

    def __init__(self, shape: BlockShape, density: float, wiring: str) -> None:
        super().__init__()
        self.shape = shape
        hidden_levels = shape.levels - 1
        self.downsample = nn.Sequential(depthwise(shape.inputs, shape.stride))
        if hidden_levels:
            self.conv = depthwise(hidden_levels * shape.outputs, 1)
        self.norm = nn.ModuleList(
            [nn.BatchNorm2d(shape.inputs)]
            + [nn.BatchNorm2d(shape.outputs) for _ in range(hidden_levels)]
        )
        self.graph = Edges(
            shape.sources, shape.targets, shape.edge_budget(density), legal_edges(shape), wiring
        )

    def forward(self, x: Tensor) -> Tensor:
        """[batch, inputs, h, w] → [batch, outputs, h / stride, w / stride]."""
        inputs, outputs = self.shape.inputs, self.shape.outputs
        edges = self.graph.edge_weights()
        nodes = self.downsample(F.relu(self.norm[0](x)))
        # The sums of all later levels so far; the first `outputs` of them are the next level.
        sums = F.conv2d(nodes, edges[:, :inputs])
        for level in range(self.shape.levels - 1):
            rows = slice(level * outputs, (level + 1) * outputs)
            nodes = F.relu(self.norm[level + 1](sums[:, :outputs]))
            nodes = F.conv2d(nodes, self.conv.weight[rows], padding=1, groups=outputs)
            first = inputs + level * outputs
            later = edges[(level + 1) * outputs :, first : first + outputs]
            sums = sums[:, outputs:] + F.conv2d(nodes, later)
        return sums


class SparseClassifier(nn.Module):
    """A classifier without bias that keeps a share ``density`` of its edges ("small" in DNW)."""

    def __init__(self, features: int, classes: int, density: float, wiring: str) -> None:
        super().__init__()
        budget = classifier_budget(features, classes, density)
        self.graph = Edges(features, classes, budget, wiring=wiring)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, features] → [batch, classes]."""
        scores: Tensor = self.graph(x[:, :, None, None])
        return scores.flatten(1)


class MobileNetV1DNW(nn.Module):
    """Image [batch, 3, s, s] → logits [batch, classes].

    ``density`` is d = 1 - DNW's prune_rate; it plays the role of MobileNet's width multiplier.
    ``width`` multiplies the number of nodes. Images of at most 64 pixels keep the stem unstrided.
    """

    def __init__(
        self,
        *,
        width: int = 1,
        density: float = 0.225,
        classifier: str = "dense",
        wiring: str = "dnw",
        classes: int = 1000,
        image_size: int = 224,
    ) -> None:
        super().__init__()
        shapes = mobilenet_blocks(width)
        stem_stride = 1 if image_size <= SMALL_IMAGE else 2
        self.conv1 = nn.Conv2d(3, STEM_CHANNELS * width, 3, stem_stride, padding=1, bias=False)
        self.layers = nn.Sequential(*(Block(shape, density, wiring) for shape in shapes))
        features = shapes[-1].outputs
        self.linear: nn.Module
        if classifier == "sparse":
            self.linear = SparseClassifier(features, classes, density, wiring)
        else:
            self.linear = nn.Linear(features, classes)
        self.bn = nn.BatchNorm2d(features)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch of normalised images."""
        x = F.relu(self.bn(self.layers(self.conv1(image))))
        logits: Tensor = self.linear(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits
