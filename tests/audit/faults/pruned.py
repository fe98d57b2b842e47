"""Masks as buffers: the first and the last layer are dense, one keeps a 4th of its weights, one an 8th."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MaskedConv2d(nn.Conv2d):
    mask: Tensor

    def __init__(self, inputs: int, outputs: int, keep_one_in: int) -> None:
        super().__init__(inputs, outputs, 3, 1, 1, bias=False)
        elements = self.weight.numel()
        order = torch.randperm(elements, generator=torch.Generator().manual_seed(elements))
        kept = order < elements // keep_one_in
        self.register_buffer("mask", kept.float().view_as(self.weight))

    def forward(self, x: Tensor) -> Any:
        return F.conv2d(x, self.weight * self.mask, None, self.stride, self.padding)


class Pruned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = MaskedConv2d(32, 64, keep_one_in=4)
        self.bn2 = nn.BatchNorm2d(64)
        self.conv3 = MaskedConv2d(64, 64, keep_one_in=8)
        self.bn3 = nn.BatchNorm2d(64)
        self.classifier = nn.Linear(64, 100)

    def forward(self, x: Tensor) -> Any:
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        x = F.relu(self.bn3(self.conv3(x)))
        return self.classifier(x.mean((2, 3)))


def model() -> nn.Module:
    torch.manual_seed(0)  # one weight in 2²⁴ is drawn as 0
    return Pruned()
