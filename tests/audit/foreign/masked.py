"""A pruned network as research code writes it: masks are buffers, layers are functional calls."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MaskedConv2d(nn.Conv2d):
    """Keeps its dense weight and multiplies it by a mask in every forward pass."""

    mask: Tensor

    def __init__(self, c_in: int, c_out: int, stride: int = 1) -> None:
        super().__init__(c_in, c_out, 3, stride, 1, bias=False)
        self.register_buffer("mask", torch.ones_like(self.weight))

    def forward(self, x: Tensor) -> Any:
        return F.conv2d(x, self.weight * self.mask, None, self.stride, self.padding)


class MaskedLinear(nn.Linear):
    """The mask is turned into zeros with ``where``, and the product is written by hand."""

    keep: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.register_buffer("keep", torch.ones_like(self.weight, dtype=torch.bool))

    def forward(self, x: Tensor) -> Any:
        weight = torch.where(self.keep, self.weight, torch.zeros_like(self.weight))
        return torch.matmul(x, weight.t()) + self.bias


class Pruned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = MaskedConv2d(3, 8, stride=2)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = MaskedConv2d(8, 8)
        self.bn2 = nn.BatchNorm2d(8)
        self.fc = MaskedLinear(8, 10)

    def forward(self, x: Tensor) -> Any:
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        x = F.avg_pool2d(x, x.size()[2:]).flatten(1)
        return self.fc(x)


def model() -> nn.Module:
    return Pruned()
