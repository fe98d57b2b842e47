"""The edge matrix of a wiring as a layer: a 1×1 convolution that is zero where no edge is kept."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from micronet.wiring import keep_alive


class Edges(nn.Conv2d):
    """Edges from ``sources`` to ``targets`` channels; exactly ``kept`` of the legal ones are there.

    ``legal`` is boolean [targets, sources]; None allows every edge. With ``wiring="dnw"`` the
    weight itself holds the zeros. With ``wiring="random"`` the weight is dense and a fixed 0/1
    buffer ``mask`` multiplies it, as in DNW's released random graphs. On the meta device, where
    weights have no values, nothing is pruned: load a checkpoint into it. ``budget`` is ``kept``.
    """

    def __init__(
        self,
        sources: int,
        targets: int,
        kept: int,
        legal: Tensor | None = None,
        wiring: str = "dnw",
    ) -> None:
        super().__init__(sources, targets, kernel_size=1, bias=False)
        self.budget = kept
        self.legal = legal
        self.mask: Tensor | None
        if wiring == "random":
            self.register_buffer("mask", torch.ones_like(self.weight.detach()))
        else:
            self.mask = None
        if not self.weight.is_meta:
            self._keep(kept, legal)

    @torch.no_grad()
    def _keep(self, kept: int, legal: Tensor | None) -> None:
        """Choose the edges: the largest fresh weights, or (random) the largest of random scores."""
        shape = (self.out_channels, self.in_channels)
        scores = self.weight.view(shape) if self.mask is None else torch.rand(shape)
        if legal is None:
            legal = torch.ones(shape, dtype=torch.bool)
        chosen = keep_alive(scores, kept, legal.to(scores.device)).view_as(self.weight)
        (self.weight if self.mask is None else self.mask).mul_(chosen)

    @torch.no_grad()
    def reopen(self) -> None:
        """Draw a fresh weight for every legal edge, as before any was chosen: training begins here."""
        self.reset_parameters()
        if self.legal is not None:
            self.weight.mul_(self.legal.view_as(self.weight))

    def edge_weights(self) -> Tensor:
        """The weights [targets, sources, 1, 1] that the forward pass uses, zeros included."""
        return self.weight if self.mask is None else self.weight * self.mask

    def forward(self, x: Tensor) -> Tensor:
        """[batch, sources, h, w] → [batch, targets, h, w]."""
        return nn.functional.conv2d(x, self.edge_weights())
