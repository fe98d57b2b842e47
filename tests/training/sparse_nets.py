"""Networks to be made sparse, and what their gates keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from micronet.training.gates import Gates


class Everything(nn.Module):
    """Every kind of layer that has weights."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 8)
        self.conv = nn.Conv1d(8, 8, 3, padding=1)
        self.up = nn.ConvTranspose1d(8, 8, 1)
        self.norm = nn.BatchNorm1d(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.cross = nn.MultiheadAttention(8, 2, batch_first=True, kdim=4, vdim=6)
        self.state = nn.GRU(8, 8, batch_first=True)
        self.layer_norm = nn.LayerNorm(8)
        self.scale = nn.Parameter(torch.ones(8))
        self.head = nn.Linear(8, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.norm(self.up(self.conv(self.embed(tokens).mT))).mT
        x = x + self.attention(x, x, x, need_weights=False)[0]
        x = x + self.cross(x, x[..., :4], x[..., :6], need_weights=False)[0]
        x = self.layer_norm(self.state(x)[0]) * self.scale
        scores: Tensor = self.head(x.mean(1))
        return scores


TOKENS = torch.arange(14).view(2, 7) % 5
GATED = [
    *("conv.weight", "up.weight"),
    *("attention.in_proj_weight", "attention.out_proj.weight"),
    *("cross.q_proj_weight", "cross.k_proj_weight", "cross.v_proj_weight", "cross.out_proj.weight"),
    "head.weight",
]


def everything() -> Everything:
    """The same weights each time; in float64, so that another order of sums is hardly seen."""
    torch.manual_seed(0)
    return Everything().double()


class Tied(nn.Module):
    """Two layers with one weight, and a third whose weight may be an embedding's too."""

    def __init__(self, *, embedded: bool = False) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)
        self.two.weight = self.one.weight
        self.embed, self.out = nn.Embedding(5, 4), nn.Linear(4, 5)
        if embedded:
            self.out.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        scores: Tensor = self.out(self.two(self.one(self.embed(tokens))))
        return scores


def net() -> nn.Sequential:
    """Three layers: 48, 64 and 24 weights."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8, bias=False), nn.ReLU(), nn.Linear(8, 3))
    )


def largest(gates: Gates) -> list[list[bool]]:
    """What each group has to keep, by sorting."""
    found = []
    for group in gates.groups:
        sizes = torch.cat([m.weight.detach().abs().float().flatten() for m in group.members])
        order = sizes.sort(descending=True, stable=True).indices[: group.budget]
        found.append(torch.zeros(len(sizes), dtype=torch.bool).index_fill(0, order, 1).tolist())
    return found


def kept(gates: Gates) -> list[list[bool]]:
    return [
        torch.cat([m.gate.kept.flatten() for m in group.members]).tolist() for group in gates.groups
    ]


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.randn(5, 6)).square().sum().backward()
    optimizer.step()


def overwrite(model: nn.Sequential) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.flip(0))
