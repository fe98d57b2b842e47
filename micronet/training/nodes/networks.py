"""Networks of nodes computed node-major: the same outputs and gradients as their own forward.

The weights stay those of the network; only the order of the arithmetic is another one, so results
differ by rounding. Used where the CPU computes in float32.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from micronet.models.mobilenetv1_dnw import Block, MobileNetV1DNW
from micronet.models.tiny_dnw import TinyStatic
from micronet.training.gate import Gate
from micronet.training.nodes.graph import GraphFunction, Level, Plan
from micronet.training.nodes.layout import FromImages, Maps, ToImages
from micronet.training.nodes.node import BATCH, IMAGE, Norm, Statistics
from micronet.wiring import TINY_INPUT_NODES, TINY_OUTPUT_NODES

if TYPE_CHECKING:
    from collections.abc import Callable

    from micronet.models.edges import Edges


def node_major(model: nn.Module) -> Callable[[Tensor], Tensor] | None:
    """The fast forward of ``model`` on this machine's CPU; None if there is none for it."""
    if isinstance(model, TinyStatic):
        return partial(tiny_static, model)
    if isinstance(model, MobileNetV1DNW):
        return partial(mobilenetv1, model)
    return None


def tiny_static(model: TinyStatic, images: Tensor) -> Tensor:
    """[batch, 3, 32, 32] → [batch, classes], as `TinyStatic.forward`."""
    inputs = model.downsample(images)
    dim = model.graph.out_channels
    levels = [
        Level(slice(max(first - TINY_INPUT_NODES, 0), last - TINY_INPUT_NODES), slice(first, last))
        for first, last in pairwise(model.offsets)
    ]
    weight, kept, kept_only = _edges(model.graph)
    maps = Maps.of(inputs.shape[0], *inputs.shape[2:])
    plan = Plan(
        tuple(levels),
        slice(dim - TINY_OUTPUT_NODES - TINY_INPUT_NODES, dim - TINY_INPUT_NODES),
        maps,
        maps.window(2, 2, 2, 2),
        Norm(IMAGE, _eps(model.norm[0])),
        kept_only,
    )
    taps = model.conv.weight.view(dim, 9)
    parameters = [
        tensor
        for norm, (first, last) in zip(model.norm, pairwise(model.offsets), strict=True)
        for tensor in (norm.weight, norm.bias, taps[first:last])
    ]
    out = GraphFunction.apply(
        plan,
        [],
        FromImages.apply(inputs),
        weight[TINY_INPUT_NODES:],
        kept[TINY_INPUT_NODES:],
        *parameters,
    )
    middle = ToImages.apply(out, plan.last.sent)
    logits: Tensor = model.fc(F.avg_pool2d(middle, 2).flatten(1))
    return logits


def mobilenetv1(model: MobileNetV1DNW, images: Tensor) -> Tensor:
    """[batch, 3, s, s] → [batch, classes], as `MobileNetV1DNW.forward`, batch statistics included."""
    x = model.conv1(images)
    maps = Maps.of(x.shape[0], *x.shape[2:])
    x = FromImages.apply(x)
    for block in model.layers:
        x, maps = _block(cast("Block", block), x, maps)
    x = F.relu(model.bn(ToImages.apply(x, maps)))
    logits: Tensor = model.linear(F.adaptive_avg_pool2d(x, 1).flatten(1))
    return logits


def _block(block: Block, x: Tensor, maps: Maps) -> tuple[Tensor, Maps]:
    inputs, outputs, count = block.shape.inputs, block.shape.outputs, block.shape.levels
    maps = Maps.of(maps.images, maps.height, maps.width, block.shape.stride)
    levels = [Level(slice(0, 0), slice(0, inputs))] + [
        Level(
            slice((level - 1) * outputs, level * outputs),
            slice(inputs + (level - 1) * outputs, inputs + level * outputs),
        )
        for level in range(1, count)
    ]
    taps = [cast("nn.Conv2d", block.downsample[0]).weight.view(inputs, 9)]
    if count > 1:
        taps += block.conv.weight.view(-1, 9).split(outputs)
    parameters = [
        tensor
        for norm, nine in zip(block.norm, taps, strict=True)
        for tensor in (norm.weight, norm.bias, nine)
    ]
    weight, kept, kept_only = _edges(block.graph)
    plan = Plan(
        tuple(levels),
        slice((count - 1) * outputs, count * outputs),
        maps,
        maps if count == 1 else maps.sent,
        Norm(BATCH, _eps(block.norm[0])),
        kept_only,
    )
    measured: list[Statistics] = []
    out = GraphFunction.apply(plan, measured, x, weight, kept, *parameters)
    for norm, statistics, level in zip(block.norm, measured, levels, strict=True):
        _remember(cast("nn.BatchNorm2d", norm), statistics, plan.maps_of(level))
    return out, maps.sent


@torch.no_grad()
def _remember(norm: nn.BatchNorm2d, statistics: Statistics, maps: Maps) -> None:
    """Move the running statistics as batch norm does; the variance it keeps is the unbiased one."""
    mean, variance, seen = norm.running_mean, norm.running_var, norm.num_batches_tracked
    if mean is None or variance is None or seen is None:
        return
    seen += 1
    share = 1 / int(seen) if norm.momentum is None else norm.momentum
    count = maps.images * maps.height * maps.width
    mean.lerp_(statistics.mean[:, 0], share)
    variance.lerp_(statistics.variance[:, 0] * (count / (count - 1)), share)


def _eps(norm: nn.Module) -> float:
    return float(cast("nn.InstanceNorm2d | nn.BatchNorm2d", norm).eps)


def _edges(edges: Edges) -> tuple[Tensor, Tensor, bool]:
    """Weights [targets, sources] as used, which of them are kept, and whether only those learn."""
    weight = edges.edge_weights().flatten(1)
    if hasattr(edges, "parametrizations"):
        chains: Any = edges.parametrizations
        gate = chains["weight"][0]
        if isinstance(gate, Gate):
            return weight, gate.kept.flatten(1), not gate.all_learn
    return weight, weight.detach() != 0, False
