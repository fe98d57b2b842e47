"""The vocabulary of the NASNet search space: the operations that NASNet-A and PNASNet-5 share.

Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition", CVPR 2018; Liu
et al., "Progressive Neural Architecture Search", ECCV 2018. Convolutions have no bias, batch norms
have eps 1e-3, padding is SAME.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from micronet.models.same_padding import SameConv2d, same_pool3

EPSILON = 1e-3


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm as all networks of this family use it."""
    return nn.BatchNorm2d(channels, eps=EPSILON)


class Project(nn.Module):
    """ReLU, 1×1 convolution (with a stride), batch norm."""

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = SameConv2d(inputs, width, 1, stride)
        self.bn = batch_norm(width)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, inputs, h, w] → [batch, width, h / stride, w / stride]."""
        y: Tensor = self.bn(self.conv(F.relu(x)))
        return y


class SeparableConv(nn.Module):
    """Twice: ReLU, depthwise k×k, pointwise, batch norm. Only the first depthwise is strided."""

    def __init__(self, kernel: int, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.depthwise1 = SameConv2d(inputs, inputs, kernel, stride, groups=inputs)
        self.pointwise1 = SameConv2d(inputs, width, 1)
        self.bn1 = batch_norm(width)
        self.depthwise2 = SameConv2d(width, width, kernel, groups=width)
        self.pointwise2 = SameConv2d(width, width, 1)
        self.bn2 = batch_norm(width)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, inputs, h, w] → [batch, width, h / stride, w / stride]."""
        x = self.bn1(self.pointwise1(self.depthwise1(F.relu(x))))
        y: Tensor = self.bn2(self.pointwise2(self.depthwise2(F.relu(x))))
        return y


class Pool(nn.Module):
    """3×3 pooling; a 1×1 convolution and batch norm follow where the width must change."""

    def __init__(self, kind: str, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.kind, self.stride = kind, stride
        self.fit: nn.Module = nn.Identity()
        if inputs != width:
            self.fit = nn.Sequential(SameConv2d(inputs, width, 1), batch_norm(width))

    def forward(self, x: Tensor) -> Tensor:
        """[batch, inputs, h, w] → [batch, width, ceil(h / stride), ceil(w / stride)]."""
        y: Tensor = self.fit(same_pool3(x, self.kind, self.stride))
        return y


class FactorizedReduction(nn.Module):
    """Halves the map: ReLU, two 1×1 convolutions on the even and the odd pixels, one batch norm."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(inputs, width // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(inputs, width - width // 2, 1, stride=2, bias=False)
        self.bn = batch_norm(width)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, inputs, h, w] → [batch, width, ceil(h / 2), ceil(w / 2)]."""
        x = F.relu(x)
        # The first row and column go, a zero row and column come at the other end.
        shifted = F.pad(x, (-1, 1, -1, 1))
        y: Tensor = self.bn(torch.cat((self.even(x), self.odd(shifted)), dim=1))
        return y


def operation(name: str, inputs: int, width: int, stride: int) -> nn.Module:
    """The operation of this ``name``: sep3, sep5, sep7, avg3, max3 or id."""
    if name.startswith("sep"):
        return SeparableConv(int(name.removeprefix("sep")), inputs, width, stride)
    if name in {"avg3", "max3"}:
        return Pool(name.removesuffix("3"), inputs, width, stride)
    return nn.Identity() if stride == 1 and inputs == width else Project(inputs, width, stride)
