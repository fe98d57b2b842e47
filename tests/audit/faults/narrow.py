"""Low-bit weights as they are deployed: integer codes in a buffer, times a scale of each channel."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FOUR_BITS = [-7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7]  # none is 0: every weight is live
TERNARY = [-1, 0, 1]
Quantiser = Callable[[Tensor], Tensor]


class CodedConv2d(nn.Module):
    codes: Tensor

    def __init__(self, inputs: int, outputs: int, stride: int, codes: list[int]) -> None:
        super().__init__()
        self.stride = stride
        elements = outputs * inputs * 9
        each = torch.tensor(codes).repeat(-(-elements // len(codes)))[:elements]
        mixed = each[torch.randperm(elements, generator=torch.Generator().manual_seed(elements))]
        self.register_buffer("codes", mixed.view(outputs, inputs, 3, 3).float())
        channels = outputs if codes is FOUR_BITS else 1
        self.scale = nn.Parameter(torch.rand(channels, 1, 1, 1) + 0.5)

    def forward(self, x: Tensor) -> Any:
        return F.conv2d(x, self.codes * self.scale, None, self.stride, 1)


class SharedConv2d(nn.Conv2d):
    """Every weight is one of 64 floats, which are on no grid."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, 3, stride, 1, bias=False)
        which = torch.arange(self.weight.numel()) % 64
        self.weight = nn.Parameter(torch.randn(64)[which].view_as(self.weight))


def seven_bits(x: Tensor) -> Tensor:
    return torch.clamp(torch.round(x * 16), -64, 63) / 16


class Narrow(nn.Module):
    def __init__(self, codes: list[int], *quantisers: Quantiser) -> None:
        super().__init__()
        torch.manual_seed(0)  # one weight in 2²⁴ is drawn as 0
        self.conv1: nn.Module = CodedConv2d(3, 32, 2, codes)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2: nn.Module = CodedConv2d(32, 64, 1, codes)
        self.classifier = nn.Linear(64, 100)
        self.before = quantisers or (nn.Identity(), nn.Identity())  # the convolutions

    def forward(self, x: Tensor) -> Any:
        first, second = self.before
        x = F.relu(self.bn1(self.conv1(first(x))))
        x = self.conv2(second(x))
        return self.classifier(F.adaptive_avg_pool2d(x, 1).flatten(1))


def four_bits() -> nn.Module:
    return Narrow(FOUR_BITS)


def four_bits_but_conv2() -> nn.Module:
    model = Narrow(FOUR_BITS)
    model.conv2 = nn.Conv2d(32, 64, 3, 1, 1, bias=False)
    return model


def quantised_inputs() -> nn.Module:
    return Narrow(FOUR_BITS, seven_bits, seven_bits)


def quantised_inputs_but_conv2() -> nn.Module:
    return Narrow(FOUR_BITS, seven_bits, nn.Identity())


def shared() -> nn.Module:
    model = Narrow(FOUR_BITS)
    model.conv1, model.conv2 = SharedConv2d(3, 32, 2), SharedConv2d(32, 64, 1)
    return model


def ternary() -> nn.Module:
    return Narrow(TERNARY)
