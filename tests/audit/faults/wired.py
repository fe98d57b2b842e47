"""Filters that are zero throughout, and a second head that forward never calls."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Wired(nn.Module):
    """A quarter of the filters of ``conv2`` are zero, so a quarter of what ``conv3`` reads is."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self.conv2 = nn.Conv2d(32, 32, 3, 1, 1, bias=False)
        self.conv3 = nn.Conv2d(32, 64, 3, 1, 1, bias=False)
        self.classifier = nn.Linear(64, 100)
        self.head = nn.Linear(64, 30)
        with torch.no_grad():
            self.conv2.weight[24:] = 0

    def forward(self, x: Tensor) -> Any:
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.relu(self.conv3(x))
        return self.classifier(F.adaptive_avg_pool2d(x, 1).flatten(1))


def model() -> nn.Module:
    torch.manual_seed(0)  # one weight in 2²⁴ is drawn as 0
    return Wired()
