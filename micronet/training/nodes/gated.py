"""The edges of a layer as the fast networks need them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.nn.utils import parametrize

from micronet.training.gate import Gate

if TYPE_CHECKING:
    from torch import Tensor

    from micronet.models.edges import Edges


def used_edges(edges: Edges) -> tuple[Tensor, Tensor, bool]:
    """Weights [targets, sources] as used, which of them are kept, and whether only those learn."""
    weight = edges.edge_weights().flatten(1)
    if parametrize.is_parametrized(edges, "weight"):
        chains: Any = edges.parametrizations
        for gate in chains["weight"]:
            if isinstance(gate, Gate):
                return weight, gate.kept.flatten(1), not gate.all_learn
    return weight, weight.detach() != 0, False
