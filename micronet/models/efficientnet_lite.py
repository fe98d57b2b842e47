"""EfficientNet-Lite0: EfficientNet-B0 without squeeze-and-excitation, ReLU6 in place of swish.

Tan, Le, "EfficientNet", ICML 2019; the lite variants are TensorFlow's
(github.com/tensorflow/tpu, models/official/efficientnet/lite). 4,652,008 parameters. Parameter
names are those of the package efficientnet_lite_pytorch, so that its checkpoints load.
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from micronet.models.same_padding import SameConv2d

STEM_CHANNELS = 32
HEAD_CHANNELS = 1280


class Stage(NamedTuple):
    """Repeated inverted residual blocks; only the first has the stride."""

    kernel: int
    stride: int
    expansion: int
    outputs: int
    repeats: int


STAGES = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """TensorFlow's batch norm: eps 1e-3, decay 0.99."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class InvertedResidual(nn.Module):
    """1×1 expansion (if any), depthwise, 1×1 projection; plus the input where the shapes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        expanded = inputs * expansion
        self.adds_input = stride == 1 and inputs == outputs
        if expansion != 1:
            self._expand_conv = SameConv2d(inputs, expanded, 1)
            self._bn0 = batch_norm(expanded)
        self._depthwise_conv = SameConv2d(expanded, expanded, kernel, stride, groups=expanded)
        self._bn1 = batch_norm(expanded)
        self._project_conv = SameConv2d(expanded, outputs, 1)
        self._bn2 = batch_norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, inputs, h, w] → [batch, outputs, ceil(h / stride), ceil(w / stride)]."""
        y: Tensor = x
        if hasattr(self, "_expand_conv"):
            y = F.relu6(self._bn0(self._expand_conv(y)))
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds_input else y


class EfficientNetLite0(nn.Module):
    """[batch, 3, 224, 224] → logits [batch, classes]."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(3, STEM_CHANNELS, 3, stride=2)
        self._bn0 = batch_norm(STEM_CHANNELS)
        self._blocks = nn.ModuleList()
        inputs = STEM_CHANNELS
        for kernel, stride, expansion, outputs, repeats in STAGES:
            for position in range(repeats):
                first_stride = stride if position == 0 else 1
                self._blocks.append(
                    InvertedResidual(inputs, outputs, kernel, first_stride, expansion)
                )
                inputs = outputs
        self._conv_head = SameConv2d(inputs, HEAD_CHANNELS, 1)
        self._bn1 = batch_norm(HEAD_CHANNELS)
        self._fc = nn.Linear(HEAD_CHANNELS, classes)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch of normalised images."""
        x = F.relu6(self._bn0(self._conv_stem(image)))
        for block in self._blocks:
            x = block(x)
        x = F.relu6(self._bn1(self._conv_head(x)))
        logits: Tensor = self._fc(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits
