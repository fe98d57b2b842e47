"""ShuffleNet's unit: grouped 1x1 convolutions with a channel shuffle written as view and transpose."""

from typing import Any

import torch
from torch import Tensor, nn


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    batch, channels, height, width = x.data.size()
    x = x.view(batch, groups, channels // groups, height, width)
    x = torch.transpose(x, 1, 2).contiguous()
    return x.view(batch, -1, height, width)


class Unit(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.compress = nn.Conv2d(8, 8, 1, groups=2, bias=False)
        self.expand = nn.Conv2d(8, 8, 1, groups=2, bias=False)

    def forward(self, x: Tensor) -> Any:
        left, right = x.chunk(2, dim=1)
        out = self.expand(channel_shuffle(self.compress(torch.cat((left, right), 1)), 2))
        return torch.cat((x, torch.nn.functional.relu(out)), 1)


class Shuffled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 1, bias=False)
        self.unit = Unit()
        self.fc = nn.Linear(16, 10, bias=False)

    def forward(self, x: Tensor) -> Any:
        return self.fc(self.unit(self.stem(x)).mean((-2, -1)))


def model() -> nn.Module:
    return Shuffled()
