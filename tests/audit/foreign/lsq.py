"""Learned step sizes (LSQ), with a straight-through estimator of its own for weights and inputs."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RoundPass(torch.autograd.Function):
    """Rounds forwards, passes the gradient on backwards."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        del ctx
        return x.round()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        del ctx
        return gradients[0]


def grad_scale(x: Tensor, scale: float) -> Tensor:
    return (x - x * scale).detach() + x * scale


class LsqQuan(nn.Module):
    def __init__(self, bits: int, *, signed: bool) -> None:
        super().__init__()
        self.low = -(2 ** (bits - 1)) if signed else 0
        self.high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
        self.s = nn.Parameter(torch.tensor(0.05))

    def forward(self, x: Tensor) -> Any:
        s = grad_scale(self.s, 1.0 / (self.high * x.numel()) ** 0.5)
        x = torch.clamp(x / s, self.low, self.high)
        return RoundPass.apply(x) * s


class QuanConv2d(nn.Conv2d):
    def __init__(self, c_in: int, c_out: int, w_bits: int, a_bits: int, *, signed: bool) -> None:
        super().__init__(c_in, c_out, 3, padding=1)
        self.quan_w = LsqQuan(w_bits, signed=True)
        self.quan_a = LsqQuan(a_bits, signed=signed)

    def forward(self, x: Tensor) -> Any:
        return self._conv_forward(self.quan_a(x), self.quan_w(self.weight), self.bias)


class LsqNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = QuanConv2d(3, 8, 8, 8, signed=True)
        self.conv2 = QuanConv2d(8, 8, 4, 4, signed=False)
        self.fc = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Any:
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        return self.fc(x.mean([2, 3]))


def model() -> nn.Module:
    return LsqNet()
