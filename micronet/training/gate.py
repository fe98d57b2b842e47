"""A gate on a weight: which entries the forward pass uses, and which ones learn.

DNW's rule (Wortsman, Farhadi, Rastegari, NeurIPS 2019, section 3, Algorithm 1): the forward pass
uses the edges that are kept; in the backward pass every edge, kept or not, gets the gradient
⟨Z of its source, ∂L/∂I of its target⟩, as if all were there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from micronet.training.gates import Chooser


class GateFunction(torch.autograd.Function):
    """(weight, kept, learning, soft) → weight where kept, else 0; its gradient reaches ``learning``.

    With ``soft`` = (shrink, gain) what is kept becomes gain · (weight - shrink · sign(weight)),
    and the gradient stays as it is: straight through.
    """

    @staticmethod
    def forward(
        ctx: Any,
        weight: Tensor,
        kept: Tensor,
        learning: Tensor | None,
        soft: tuple[float, float | Tensor] | None = None,
    ) -> Tensor:
        """The weight with zeros; ``learning`` None lets every entry learn."""
        ctx.learning = learning
        if soft is None:
            return weight.where(kept, 0)
        shrink, gain = soft
        return (weight - shrink * weight.sign()).where(kept, 0) * gain

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
        """The gradient as it is, but for entries that may not learn."""
        reached = upstream if ctx.learning is None else upstream.where(ctx.learning, 0)
        return reached, None, None, None


class Gate(nn.Module):
    """The parametrisation of one weight.

    ``kept`` (boolean, the weight's shape) are the entries in use. ``legal`` (None: all) may ever
    be. ``all_learn``: every legal entry gets a gradient, not only those that are kept.
    ``chooser`` knows the group that it belongs to.
    ``choose``, if set, is called before each use and may change ``kept``; ``moves``, if set, once a
    gradient arrives, after which an optimiser may write to the weight.
    ``shrink`` and ``gain`` (one for all, or a tensor that spreads over the weight) are of soft
    thresholds: what is kept becomes gain · (w - shrink · sign(w)).
    """

    kept: Tensor
    legal: Tensor | None

    def __init__(self, weight: Tensor, legal: Tensor | None = None) -> None:
        super().__init__()
        everywhere = torch.ones_like(weight, dtype=torch.bool)
        self.register_buffer("kept", everywhere if legal is None else legal.view_as(weight).clone())
        self.register_buffer(
            "legal", None if legal is None else legal.view_as(weight).clone(), persistent=False
        )
        self.all_learn = True
        self.chooser: Chooser | None = None
        self.choose: Callable[[], None] | None = None
        self.moves: Callable[[Tensor], None] | None = None
        self.shrink = 0.0
        self.gain: float | Tensor = 1.0

    def forward(self, weight: Tensor) -> Tensor:
        """The weight as the network uses it."""
        if self.choose is not None:
            self.choose()
        learning = self.legal if self.all_learn else self.kept
        plain = self.shrink == 0.0 and isinstance(self.gain, float) and self.gain == 1.0
        soft = None if plain else (self.shrink, self.gain)
        used: Tensor = GateFunction.apply(weight, self.kept, learning, soft)
        if self.moves is not None and used.requires_grad:
            used.register_hook(self.moves)
        return used

    def right_inverse(self, value: Tensor) -> Tensor:
        """What to store so that ``value`` is used, as far as the gate lets it."""
        return value
