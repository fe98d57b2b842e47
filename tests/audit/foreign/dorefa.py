"""DoReFa-Net: weights through tanh onto k bits, activations clipped to [0, 1] and rounded to k bits."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def uniform_quantize(k: int) -> Any:
    class Quantise(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            del ctx
            if k == 1:
                return torch.sign(x)
            n = float(2**k - 1)
            return torch.round(x * n) / n

        @staticmethod
        def backward(ctx: Any, *gradients: Tensor) -> Tensor:
            del ctx
            return gradients[0].clone()

    return Quantise.apply


class WeightQuantize(nn.Module):
    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits, self.uniform_q = bits, uniform_quantize(bits)

    def forward(self, x: Tensor) -> Any:
        if self.bits == 1:
            scale = torch.mean(torch.abs(x)).detach()
            return self.uniform_q(x / scale) * scale
        weight = torch.tanh(x)
        weight = weight / 2 / torch.max(torch.abs(weight)) + 0.5
        return 2 * self.uniform_q(weight) - 1


class DorefaConv2d(nn.Conv2d):
    def __init__(self, c_in: int, c_out: int, bits: int) -> None:
        super().__init__(c_in, c_out, 1, bias=False)
        self.quantize_fn = WeightQuantize(bits)

    def forward(self, x: Tensor) -> Any:
        return F.conv2d(x, self.quantize_fn(self.weight))


class DorefaNet(nn.Module):
    """The input is not quantised, the first weights have 3 bits, the second are binary."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = DorefaConv2d(3, 16, 3)
        self.act_q = uniform_quantize(2)
        self.conv2 = DorefaConv2d(16, 16, 1)
        self.classifier = nn.Conv2d(16, 10, 1)

    def forward(self, x: Tensor) -> Any:
        x = self.act_q(torch.clamp(self.conv1(x), 0, 1))
        x = self.act_q(torch.clamp(self.conv2(x), 0, 1))
        return self.classifier(F.adaptive_avg_pool2d(x, 1)).squeeze(-1).squeeze(-1)


def model() -> nn.Module:
    return DorefaNet()
