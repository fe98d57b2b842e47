"""WideResNet for 32×32 images; 28-10 is the MicroNet challenge's CIFAR-100 baseline.

Zagoruyko, Komodakis, "Wide Residual Networks", BMVC 2016, section 2: pre-activation basic blocks.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from micronet.errors import MicronetError

STEM_CHANNELS = 16


def conv3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A 3×3 convolution without bias, padding 1."""
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


class Block(nn.Module):
    """BN, ReLU, 3×3 (stride), BN, ReLU, 3×3, plus the shortcut.

    Where the width changes the shortcut is a 1×1 convolution of the first ReLU's output.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv3(inputs, outputs, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(outputs), conv3(outputs, outputs)
        self.shortcut = None
        if inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, inputs, h, w] → [batch, outputs, h / stride, w / stride]."""
        active = F.relu(self.bn1(x))
        residual: Tensor = self.conv2(F.relu(self.bn2(self.conv1(active))))
        return residual + (x if self.shortcut is None else self.shortcut(active))


class WideResNet(nn.Module):
    """[batch, 3, 32, 32] → logits; ``depth`` = 6n + 4 layers, ``widen`` times the plain width."""

    def __init__(self, depth: int = 28, widen: int = 10, classes: int = 100) -> None:
        super().__init__()
        blocks_per_group, rest = divmod(depth - 4, 6)
        if rest or blocks_per_group < 1:
            raise MicronetError(
                f"WideResNet has depth 6n + 4, not {depth}.", "Choose 10, 16, 22, 28, 34 or 40."
            )
        self.stem = conv3(3, STEM_CHANNELS)
        blocks, channels = [], STEM_CHANNELS
        for group in range(3):
            outputs = STEM_CHANNELS * 2**group * widen
            for position in range(blocks_per_group):
                stride = 2 if group and position == 0 else 1
                blocks.append(Block(channels, outputs, stride))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.bn = nn.BatchNorm2d(channels)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch of normalised images."""
        x = F.relu(self.bn(self.blocks(self.stem(image))))
        logits: Tensor = self.classifier(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits
