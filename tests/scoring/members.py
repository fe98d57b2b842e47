"""Small models for tests: members by name and a forward; a convolution and a forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tests.scoring.bills import bill

if TYPE_CHECKING:
    from collections.abc import Mapping

Forward = Callable[[Any, Tensor], Any]


class Model(nn.Module):
    """Parameters and modules by name, and a forward."""

    def __init__(self, forward: Forward, **members: Tensor | nn.Module) -> None:
        super().__init__()
        for name, member in members.items():
            if isinstance(member, Tensor) and member.is_floating_point():
                self.register_parameter(name, nn.Parameter(member))
            elif isinstance(member, Tensor):
                self.register_buffer(name, member)
            else:
                self.add_module(name, member)
        self.run = forward

    def forward(self, x: Tensor) -> Any:
        return self.run(self, x)


def real(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def without(weight: Tensor, *zeros: int) -> Tensor:
    """The weight with zeros at these flat positions."""
    weight = weight.clone()
    weight.view(-1)[list(zeros)] = 0
    return weight


def stored(model: nn.Module, *shape: int, dtype: str = "float32") -> Mapping[str, int]:
    return bill(model, shape, dtype).storage_by


class Convolution(nn.Module):
    """One 1×1 convolution of 4 to 2 channels, all eight weights not zero, and a forward."""

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 2, 1, bias=False)
        nn.init.ones_(self.conv.weight)
        self.run = forward

    def forward(self, x: Tensor) -> Any:
        return self.run(self, x)
