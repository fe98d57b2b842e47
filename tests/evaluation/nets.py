"""Small networks for 32×32 pixels and ten classes, given as `--model nets.py:NAME`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

CLASSES = 10
PIXELS = 32


class Small(nn.Module):
    """Two convolutions with norms, and outputs that are far from round."""

    image_size = PIXELS

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, 2, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(16)
        self.second = nn.Conv2d(16, 24, 3, 2, 1)
        self.second_norm = nn.BatchNorm2d(24)
        self.head = nn.Linear(24, classes)

    def forward(self, images: Tensor) -> Tensor:
        found = self.first_norm(self.first(images)).relu()
        found = self.second_norm(self.second(found)).relu()
        outputs: Tensor = self.head(found.mean((2, 3)))
        return outputs


class Slow(Small):
    """The same, but it can be caught at work."""

    def forward(self, images: Tensor) -> Tensor:
        time.sleep(0.02)
        return super().forward(images)


class Constant(nn.Module):
    """The same outputs for every image."""

    image_size = PIXELS

    def __init__(self, outputs: list[float]) -> None:
        super().__init__()
        self.outputs = nn.Parameter(torch.tensor(outputs))

    def forward(self, images: Tensor) -> Tensor:
        return self.outputs.expand(len(images), -1)


class Refusing(Small):
    """Raises on a dark image."""

    def forward(self, images: Tensor) -> Tensor:
        if float(images.detach().mean(dim=(1, 2, 3)).min()) < -1.5:
            raise ArithmeticError("too dark to see")
        return super().forward(images)


class LooksAround(Small):
    """An answer depends on the brightest pixel of its batch."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images / images.abs().max())


def seeded(net: nn.Module, seed: int = 0) -> nn.Module:
    """``net`` with weights and statistics as they are after training: none of them 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in net.parameters():
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.3)
        for module in net.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.affine:
                module.weight.copy_(1 + torch.rand(module.weight.shape, generator=generator))
            mean = getattr(module, "running_mean", None)
            var = getattr(module, "running_var", None)
            if isinstance(mean, torch.Tensor) and isinstance(var, torch.Tensor):
                mean.copy_(torch.randn(mean.shape, generator=generator) * 0.3)
                var.copy_(0.5 + torch.rand(var.shape, generator=generator))
    return net.eval()


def small() -> nn.Module:
    return seeded(Small())


def slow() -> nn.Module:
    return seeded(Slow())


def other() -> nn.Module:
    return seeded(Small(), seed=1)


def hundred() -> nn.Module:
    return seeded(Small(100))


def eleven() -> nn.Module:
    return seeded(Small(11))


def constant() -> nn.Module:
    """Always class 0 of a hundred."""
    return Constant([1.0, *[0.0] * 99])


def tied() -> nn.Module:
    return Constant([0.25] * CLASSES)


def not_a_number() -> nn.Module:
    return Constant([float("nan")] * CLASSES)


def refusing() -> nn.Module:
    return seeded(Refusing())


def looks_around() -> nn.Module:
    return seeded(LooksAround())


class SumOfRed(nn.Module):
    """The class is the sum of all red values, 0 to 255 each, modulo the number of classes.

    Each value is a whole number again before it is added, and their sum stays below 2^24: float32
    adds them without rounding.
    """

    image_size = PIXELS

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.mean, self.std = 0.485, 0.229  # of red, as ImageNet's habit has it

    def forward(self, images: Tensor) -> Tensor:
        red = ((images[:, 0] * self.std + self.mean) * 255).round()
        classes = red.sum((1, 2)).to(torch.int64) % self.classes
        return nn.functional.one_hot(classes, self.classes).to(torch.float32)


def sum_of_red() -> nn.Module:
    return SumOfRed(100)


def last_digit_of_red() -> nn.Module:
    return SumOfRed(10)
