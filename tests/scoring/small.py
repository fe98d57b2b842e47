"""What tests of single layers share: bills under any rule book, and forward passes given as functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from micronet.scoring.network import Network
from micronet.scoring.rulebook import rule_book
from micronet.scoring.tally import Tally, tally
from micronet.scoring.trace import meta_input, trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

Shape = tuple[int, ...]


def bill(model: nn.Module, *shapes: Shape, book: str = "macs") -> Tally:
    network = Network(trace(model, [meta_input(shape) for shape in shapes]))
    return tally(network, rule_book(book), [(n, p.numel()) for n, p in model.named_parameters()])


def weight(*shape: int) -> Tensor:
    """Numbers of which none is zero, so that every edge is active."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) + 0.5


class Run(nn.Module):
    """A forward pass given as a function of (module, input); its weights and layers by name."""

    def __init__(self, run: Callable[[Any, Tensor], Tensor], **parts: nn.Module | Tensor) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, nn.Parameter(part) if isinstance(part, torch.Tensor) else part)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)
