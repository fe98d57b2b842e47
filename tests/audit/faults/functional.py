"""Layers without modules: a convolution of a bare parameter, a gate ``x * w``, a mean."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 2, 1)
        self.relu = nn.ReLU()
        self.filters = nn.Parameter(torch.randn(64, 32, 3, 3))
        self.gate = nn.Parameter(torch.randn(64, 1, 1))
        self.classifier = nn.Linear(64, 100)

    def forward(self, x: Tensor) -> Any:
        x = self.relu(self.stem(x))
        x = F.conv2d(x, self.filters, None, 1, 1)
        x = x * self.gate * torch.sigmoid(x)
        return self.classifier(torch.mean(x, (2, 3)))


def model() -> nn.Module:
    torch.manual_seed(0)  # one weight in 2²⁴ is drawn as 0
    return Functional()
