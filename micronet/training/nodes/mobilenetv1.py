"""The MobileNetV1-like wiring, node-major: one graph function for each resolution."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from micronet.errors import MicronetError
from micronet.training.nodes.gated import used_edges
from micronet.training.nodes.graph import GraphFunction, Level, Plan
from micronet.training.nodes.layout import FromImages, Maps, ToImages
from micronet.training.nodes.node import BATCH, Norm, Statistics

if TYPE_CHECKING:
    from micronet.models.mobilenetv1_dnw import Block, MobileNetV1DNW


def mobilenetv1(model: MobileNetV1DNW, images: Tensor) -> Tensor:
    """[batch, 3, s, s] → [batch, classes], as `MobileNetV1DNW.forward`.

    It measures each batch; in evaluation, where the running statistics count, the network itself
    answers.
    """
    if not model.training:
        plain: Tensor = model(images)
        return plain
    x = model.conv1(images)
    maps = Maps.of(x.shape[0], *x.shape[2:])
    x = FromImages.apply(x)
    for block in model.layers:
        x, maps = _block(cast("Block", block), x, maps)
    x = F.relu(model.bn(ToImages.apply(x, maps)))
    logits: Tensor = model.linear(F.adaptive_avg_pool2d(x, 1).flatten(1))
    return logits


def _block(block: Block, x: Tensor, maps: Maps) -> tuple[Tensor, Maps]:
    maps = Maps.of(maps.images, maps.height, maps.width, block.shape.stride)
    weight, kept, kept_only = used_edges(block.graph)
    plan = _plan(block, maps, kept_only=kept_only)
    measured: list[Statistics] = []
    out = GraphFunction.apply(plan, measured, x, weight, kept, *_parameters(block))
    for norm, statistics, level in zip(block.norm, measured, plan.levels, strict=True):
        _remember(cast("nn.BatchNorm2d", norm), statistics, plan.maps_of(level))
    return out, maps.sent


def _plan(block: Block, maps: Maps, *, kept_only: bool) -> Plan:
    """Row group i of the edge matrix is level i + 1, the last one the outputs, which are no nodes."""
    inputs, outputs, count = block.shape.inputs, block.shape.outputs, block.shape.levels
    ends = [inputs + level * outputs for level in range(count)]
    hidden = [
        Level(slice(start - inputs, end - inputs), slice(start, end))
        for start, end in pairwise(ends)
    ]
    return Plan(
        (Level(slice(0, 0), slice(0, inputs)), *hidden),
        slice((count - 1) * outputs, count * outputs),
        maps,
        maps.sent if hidden else maps,
        Norm(BATCH, float(cast("nn.BatchNorm2d", block.norm[0]).eps)),
        kept_only,
    )


def _parameters(block: Block) -> list[Tensor]:
    """Three of each level, as `GraphFunction` takes them."""
    taps = [cast("nn.Conv2d", block.downsample[0]).weight.flatten(1)]
    if block.shape.levels > 1:
        taps += block.conv.weight.flatten(1).split(block.shape.outputs)
    return [
        tensor
        for norm, nine in zip(cast("list[nn.BatchNorm2d]", block.norm), taps, strict=True)
        for tensor in (norm.weight, norm.bias, nine)
    ]


@torch.no_grad()
def _remember(norm: nn.BatchNorm2d, statistics: Statistics, maps: Maps) -> None:
    """Move the running statistics as batch norm does; the variance it keeps is the unbiased one."""
    count = maps.images * maps.height * maps.width
    if count == 1:
        raise MicronetError(
            "Batch norm has one value of each node to measure, and needs more.",
            "Use more or larger images a batch.",
        )
    mean, variance, seen = norm.running_mean, norm.running_var, norm.num_batches_tracked
    if mean is None or variance is None or seen is None:
        return
    seen += 1
    share = 1 / int(seen) if norm.momentum is None else norm.momentum
    mean.lerp_(statistics.mean[:, 0], share)
    variance.lerp_(statistics.variance[:, 0] * (count / (count - 1)), share)
