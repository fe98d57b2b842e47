"""Inverted residuals with squeeze-and-excite, hard swish by hand, and a head that nobody calls."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def hard_swish(x: Tensor) -> Tensor:
    return x * F.relu6(x + 3.0) / 6.0


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int, reduced: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, reduced, 1)
        self.expand = nn.Conv2d(reduced, channels, 1)

    def forward(self, x: Tensor) -> Any:
        w = torch.mean(x, dim=[2, 3], keepdim=True)
        w = self.expand(F.relu(self.reduce(w)))
        return x * torch.sigmoid(w)


class InvertedResidual(nn.Module):
    def __init__(self, channels: int, expanded: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(channels, expanded, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(expanded)
        self.depthwise = nn.Conv2d(expanded, expanded, 3, 1, 1, groups=expanded, bias=False)
        self.bn2 = nn.BatchNorm2d(expanded)
        self.se = SqueezeExcite(expanded, 4)
        self.project = nn.Conv2d(expanded, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Any:
        out = hard_swish(self.bn1(self.expand(x)))
        out = self.se(hard_swish(self.bn2(self.depthwise(out))))
        out = self.bn3(self.project(out))
        out += x
        return out


class Mobile(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.block = InvertedResidual(8, 16)
        self.aux_head = nn.Linear(8, 100)  # for training, never called here
        self.classifier = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Any:
        x = self.block(self.stem(x))
        return self.classifier(x.mean(3).mean(2))


def model() -> nn.Module:
    return Mobile()
