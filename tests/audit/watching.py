"""Networks given as functions, inputs that need no files, and what is watched on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from micronet.audit.activations import measure_activations
from micronet.checkpoints.loaded import LoadedTarget
from micronet.models import InputSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from micronet.audit.watched import Watched

MEAN, STD = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


class Run(nn.Module):
    """A forward pass given as a function of (module, input), and two layers for it."""

    def __init__(self, run: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.run = run
        self.conv = nn.Conv2d(3, 4, 1, bias=False)
        self.last = nn.Conv2d(4, 4, 1, bias=False)
        self.register_buffer("scale", torch.tensor(0.0123))
        self.register_buffer("a_mask", torch.ones(4, 3, 1, 1))
        self.a_bias = nn.Parameter(torch.rand(4))
        self.a_scale = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Any:
        return self.run(self, x)


def loaded(model: nn.Module) -> LoadedTarget:
    spec = InputSpec((1, 3, 16, 16))
    return LoadedTarget("theirs", None, None, "theirs", {}, "unknown", model.eval(), spec, None, ())


def watched(run: Callable[[Any, Tensor], Any], *batches: Tensor) -> tuple[Watched, ...]:
    torch.manual_seed(0)
    return measure_activations(loaded(Run(run)), batches or [noise(4)])


def noise(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, 16, 16, generator=generator)


def photograph() -> Tensor:
    """One image that has every shade of every colour, normalised as ImageNet's are."""
    shades = torch.arange(256.0).view(1, 16, 16).expand(3, -1, -1)
    return ((shades / 255 - MEAN) / STD)[None]


def rounded(x: Tensor, step: float | Tensor, lowest: int, highest: int) -> Tensor:
    return torch.round(x / step).clamp(lowest, highest) * step
