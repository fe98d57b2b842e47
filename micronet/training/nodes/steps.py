"""One step of nodes with cycles, as two differentiable functions of node-major activations.

Where the same parameters serve several steps, autograd adds up their gradients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from micronet.training.nodes import node
from micronet.training.nodes.layout import matrix

if TYPE_CHECKING:
    from torch import Tensor

    from micronet.training.nodes.edges import EdgeMatrix
    from micronet.training.nodes.layout import Maps


class NodeFunction(torch.autograd.Function):
    """(values, scale and shift of the norm, taps [nodes, 9]) → what the nodes send."""

    @staticmethod
    def forward(  # noqa: PLR0917 - what autograd keeps apart are arguments
        ctx: Any, maps: Maps, norm: node.Norm, x: Tensor, weight: Tensor, bias: Tensor, taps: Tensor
    ) -> Tensor:
        """Normalise, ReLU, 3×3."""
        z = matrix(len(x), maps.sent)
        of_nodes = node.Parameters(weight, bias, taps)
        ctx.save_for_backward(x, weight, bias, taps)
        ctx.maps, ctx.norm = maps, norm
        ctx.measured = node.forward(x, maps, norm, of_nodes, z)
        return z

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
        """Gradients of values and parameters."""
        x, *parameters = ctx.saved_tensors
        dx, of_nodes = matrix(len(x), ctx.maps), node.Parameters(*parameters)
        dz = upstream.contiguous()
        found = node.backward(dz, x, ctx.maps, ctx.norm, of_nodes, ctx.measured, dx)
        return (None, None, dx, *vars(found).values())


class EdgeFunction(torch.autograd.Function):
    """(what sources send, weight [targets, sources]) → the sums of the targets."""

    @staticmethod
    def forward(  # noqa: PLR0917 - what autograd keeps apart are arguments
        ctx: Any,
        edges: EdgeMatrix,
        maps: Maps,
        kept_only: bool,  # noqa: FBT001
        z: Tensor,
        weight: Tensor,
    ) -> Tensor:
        """``edges`` are those of ``weight``; ``kept_only``: only they get a gradient."""
        sums = matrix(len(weight), maps)
        edges.send(slice(0, len(weight)), z, maps.positions, sums)
        ctx.save_for_backward(z)
        ctx.edges, ctx.maps, ctx.kept_only = edges, maps, kept_only
        return sums

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
        """Gradients of what is sent, and of the edges."""
        (z,) = ctx.saved_tensors
        g, positions = upstream.contiguous(), ctx.maps.positions
        targets, sources = slice(0, len(g)), slice(0, len(z))
        dz, gradients = matrix(len(z), ctx.maps), torch.zeros(len(g), len(z))
        ctx.edges.send_back(sources, targets, g, positions, dz)
        ctx.edges.gradients(targets, g, z, positions, gradients, kept_only=ctx.kept_only)
        return None, None, None, dz, gradients
