"""The three tiny classifiers, node-major."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from micronet.models.tiny_dnw import SolveOverUnitTime
from micronet.training.nodes.edges import EdgeMatrix, Entries, entries
from micronet.training.nodes.gated import used_edges
from micronet.training.nodes.graph import GraphFunction, Level, Plan
from micronet.training.nodes.layout import FromImages, Maps, ToImages
from micronet.training.nodes.node import IMAGE, NONE, Norm
from micronet.training.nodes.steps import EdgeFunction, NodeFunction
from micronet.wiring import TINY_INPUT_NODES, TINY_OUTPUT_NODES

if TYPE_CHECKING:
    from micronet.models.edges import Edges
    from micronet.models.tiny_dnw import NodeVelocity, TinyContinuous, TinyDiscrete, TinyStatic

_WITHOUT_NORM: Final = Norm(NONE, 0.0)


def tiny_static(model: TinyStatic, images: Tensor) -> Tensor:
    """[batch, 3, 32, 32] → [batch, classes], as `TinyStatic.forward`.

    Rows of the edge matrix are those of all nodes but the inputs, which nothing leads to.
    """
    x = FromImages.apply(inputs := model.downsample(images))
    weight, kept, kept_only = used_edges(model.graph)
    plan = _static_plan(model, Maps.of(len(inputs), *inputs.shape[2:]), kept_only=kept_only)
    taps = model.conv.weight.flatten(1)
    parameters = [
        tensor
        for norm, level in zip(model.norm, plan.levels, strict=True)
        for tensor in (norm.weight, norm.bias, taps[level.columns])
    ]
    edges = weight[TINY_INPUT_NODES:], kept[TINY_INPUT_NODES:]
    out = GraphFunction.apply(plan, [], x, *edges, *parameters)
    middle = ToImages.apply(out, plan.last.sent)
    logits: Tensor = model.fc(F.avg_pool2d(middle, 2).flatten(1))
    return logits


def _static_plan(model: TinyStatic, maps: Maps, *, kept_only: bool) -> Plan:
    """The classifier reads the last nodes at the pixels in rows and columns 2 and 3."""
    receivers = model.graph.out_channels - TINY_INPUT_NODES
    levels = [
        Level(slice(max(0, first - TINY_INPUT_NODES), last - TINY_INPUT_NODES), slice(first, last))
        for first, last in pairwise(model.offsets)
    ]
    return Plan(
        tuple(levels),
        slice(receivers - TINY_OUTPUT_NODES, receivers),
        maps,
        maps.window(2, 2, 2, 2),
        Norm(IMAGE, float(cast("nn.InstanceNorm2d", model.norm[0]).eps)),
        kept_only,
    )


@dataclass(frozen=True)
class _Cycles:
    """The edges of a layer among all nodes, compressed: some rows, and the first columns."""

    weight: Tensor
    edges: Entries
    kept_only: bool

    @staticmethod
    def of(layer: Edges) -> _Cycles:
        weight, kept, kept_only = used_edges(layer)
        return _Cycles(weight, entries(weight, kept), kept_only)

    def part(self, first_row: int, columns: int) -> _Part:
        """The edges from the first ``columns`` to ``first_row`` and all after it."""
        edges, weight = self.edges, self.weight[first_row:, :columns]
        chosen = edges.where((edges.rows >= first_row) & (edges.columns < columns))
        matrix = EdgeMatrix.of(weight.detach(), chosen.moved(first_row, 0), weight.numel())
        return _Part(matrix, weight, self.kept_only)


@dataclass(frozen=True)
class _Part:
    matrix: EdgeMatrix
    weight: Tensor
    kept_only: bool

    def send(self, maps: Maps, z: Tensor) -> Tensor:
        sums: Tensor = EdgeFunction.apply(self.matrix, maps, self.kept_only, z, self.weight)
        return sums


def tiny_discrete(model: TinyDiscrete, images: Tensor) -> Tensor:
    """[batch, 3, 32, 32] → [batch, classes], as `TinyDiscrete.forward`.

    Before the first step only the inputs have values, and no norm was there; after the last one
    only the nodes that the classifier reads are wanted.
    """
    x = FromImages.apply(inputs := model.downsample(images))
    maps = Maps.of(len(inputs), *inputs.shape[2:])
    taps, norm, dim = model.conv.weight.flatten(1), model.norm, model.graph.out_channels
    cycles, by_image = _Cycles.of(model.graph), Norm(IMAGE, float(norm.eps))
    full, read = cycles.part(0, dim), dim - TINY_OUTPUT_NODES
    z = _send_without_norm(maps, x, taps[:TINY_INPUT_NODES])
    for step in range(1, model.steps + 1):
        first_row = read if step == model.steps else 0
        columns = TINY_INPUT_NODES if step == 1 else dim
        partly = first_row > 0 or columns < dim
        sums = (cycles.part(first_row, columns) if partly else full).send(maps, z)
        if step < model.steps:
            z = NodeFunction.apply(maps, by_image, sums, norm.weight, norm.bias, taps)
    nodes = ToImages.apply(sums, maps)
    return model.classify(
        F.instance_norm(nodes, weight=norm.weight[read:], bias=norm.bias[read:], eps=norm.eps)
    )


def tiny_continuous(model: TinyContinuous, images: Tensor) -> Tensor:
    """[batch, 3, 32, 32] → [batch, classes], as `TinyContinuous.forward`."""
    solved = SolveOverUnitTime(_Velocity(cast("NodeVelocity", model.odesolve.odefunc)))
    return model.classify(solved(model.initial_nodes(images)))


class _Velocity(nn.Module):
    """`NodeVelocity`, whose edges are chosen and compressed once for all times."""

    def __init__(self, velocity: NodeVelocity) -> None:
        super().__init__()
        self.norm, self.taps = velocity.norm, velocity.conv.weight.flatten(1)
        self.edges = _Cycles.of(velocity.graph).part(0, len(self.taps))

    def forward(self, time: Tensor, nodes: Tensor) -> Tensor:  # noqa: ARG002 (odeint passes it)
        """[batch, dim, 8, 8] → the same shape."""
        maps = Maps.of(len(nodes), *nodes.shape[2:])
        z = _send_without_norm(maps, FromImages.apply(nodes), self.taps)
        velocity: Tensor = self.norm(ToImages.apply(self.edges.send(maps, z), maps))
        return velocity


def _send_without_norm(maps: Maps, x: Tensor, taps: Tensor) -> Tensor:
    one, zero = torch.ones(len(x)), torch.zeros(len(x))
    z: Tensor = NodeFunction.apply(maps, _WITHOUT_NORM, x, one, zero, taps)
    return z
