"""The exponential moving average of a network's weights, which is then evaluated and stored.

Averaged are the weights behind the gates, edges that are not kept included; the edges of the
average are chosen among these averages as the method chooses them.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn


class Average:
    """Averages of all learned weights, [name] → float tensor; ``decay`` of 0 keeps none."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model, self.decay = model, decay
        self.weights: dict[str, Tensor] = {}
        if decay:
            self.weights = {n: p.detach().clone() for n, p in model.named_parameters()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """After a step; early on the average follows quickly, as if it had begun empty."""
        if self.decay:
            share = 1 - min(self.decay, (1 + step) / (10 + step))
            for name, parameter in self._model.named_parameters():
                self.weights[name].lerp_(parameter, share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within, the network computes with the averages; afterwards its weights are its own."""
        if not self.decay:
            yield
            return
        own = {name: p.detach().clone() for name, p in self._model.named_parameters()}
        self._put(self.weights)
        try:
            yield
        finally:
            self._put(own)

    @torch.no_grad()
    def _put(self, weights: dict[str, Tensor]) -> None:
        for name, parameter in self._model.named_parameters():
            parameter.copy_(weights[name])
