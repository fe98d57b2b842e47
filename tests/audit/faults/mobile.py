"""A depthwise block with squeeze-and-excite, and a second head for training that forward never calls."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int, reduced: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, reduced, 1)
        self.expand = nn.Conv2d(reduced, channels, 1)

    def forward(self, x: Tensor) -> Any:
        weight = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.expand(F.relu(self.reduce(weight))))


class Mobile(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(32)
        self.depthwise = nn.Conv2d(32, 32, 3, 1, 1, groups=32, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.excite = SqueezeExcite(32, 8)
        self.pointwise = nn.Conv2d(32, 64, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.auxiliary = nn.Linear(64, 100)
        self.classifier = nn.Linear(64, 100)

    def forward(self, x: Tensor) -> Any:
        x = F.relu(self.bn(self.stem(x)))
        x = self.excite(F.relu(self.bn1(self.depthwise(x))))
        x = self.bn2(self.pointwise(x))
        return self.classifier(F.adaptive_avg_pool2d(x, 1).flatten(1))


def model() -> nn.Module:
    torch.manual_seed(0)  # one weight in 2²⁴ is drawn as 0
    return Mobile()
