"""MobileNetV1 and V2, the dense baselines.

V1: Howard et al., "MobileNets", arXiv 1704.04861, Table 1 (4.2M parameters, 569M multiply-adds,
70.6 % top-1). V2: Sandler et al., "MobileNetV2", CVPR 2018, Table 2; torchvision's definition.
"""

from __future__ import annotations

import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

# (output channels, stride of the depthwise). The paper prints stride 2 for the last pair, a
# misprint: its output stays 7×7.
PAIRS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
NARROWEST = 8


def conv_norm_relu(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class MobileNetV1(nn.Module):
    """[batch, 3, 224, 224] → logits; ``width`` multiplies every channel count (at least 8)."""

    def __init__(self, width: float = 1.0, classes: int = 1000) -> None:
        super().__init__()
        channels = max(int(32 * width), NARROWEST)
        self.stem = conv_norm_relu(3, channels, 3, stride=2)
        self.depthwise, self.pointwise = nn.ModuleList(), nn.ModuleList()
        for full_outputs, stride in PAIRS:
            outputs = max(int(full_outputs * width), NARROWEST)
            self.depthwise.append(conv_norm_relu(channels, channels, 3, stride, groups=channels))
            self.pointwise.append(conv_norm_relu(channels, outputs, 1))
            channels = outputs
        self.classifier = nn.Linear(channels, classes)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch of normalised images."""
        x = self.stem(image)
        for depthwise, pointwise in zip(self.depthwise, self.pointwise, strict=True):
            x = pointwise(depthwise(x))
        logits: Tensor = self.classifier(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits


def mobilenet_v2(width: float = 1.0) -> nn.Module:
    """MobileNetV2 as torchvision defines it: channel counts times ``width``, multiples of 8."""
    model: nn.Module = torchvision.models.mobilenet_v2(weights=None, width_mult=width)
    return model
