"""A residual network for images of 32 × 32 pixels; there is no ReLU after the sum."""

from typing import Any

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(32)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.conv1 = nn.Conv2d(32, 32, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 32, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(32)
        self.down = nn.Conv2d(32, 64, 3, 2, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(64)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(64, 100)

    def forward(self, x: Tensor) -> Any:
        x = self.pool(self.relu(self.bn(self.stem(x))))
        x = x + self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        x = self.relu(self.bn3(self.down(x)))
        return self.classifier(self.mean(x).flatten(1))


def model() -> nn.Module:
    torch.manual_seed(0)  # one weight in 2²⁴ is drawn as 0
    return Residual()
