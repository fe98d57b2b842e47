"""The dialect of DNW's own code: what it would print for a network, edge by edge.

`dnw_formulas` has the arithmetic and its sources; this reads models into it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

from torch import nn
from torchvision.models import ResNet

from micronet.errors import MicronetError
from micronet.models import ARCHITECTURES
from micronet.models.edges import Edges
from micronet.models.mobilenetv1_dnw import Block, MobileNetV1DNW
from micronet.scoring.dnw_dead import WouldBeDead, would_be_dead
from micronet.scoring.dnw_formulas import (
    AliveNodes,
    ReleaseCount,
    ReleaseLayer,
    count_pruned,
    count_wiring,
    stem_and_nodes,
)
from micronet.scoring.tally import Cost, Layer, Tally
from micronet.scoring.trace import meta_input, trace
from micronet.scoring.tracks import track

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from micronet.wiring import BlockShape

WIRING, PRUNED = "mobilenetv1_dnw", "resnet50_sparse"
IMAGE = (1, 3, 224, 224)
OTHER_SIZE = "DNW's code assumes images of 224 pixels"


def count_release(
    model: nn.Module, architecture: str, config: Mapping[str, object]
) -> ReleaseCount:
    """What DNW's code prints for ``model``, a built or loaded ``architecture`` with ``config``.

    Raises MicronetError for every architecture but the two that this code was written for.
    """
    wanted = {WIRING: MobileNetV1DNW, PRUNED: ResNet}.get(architecture)
    if wanted is None or not isinstance(model, wanted):
        found = architecture if wanted is None else f"{architecture} as {type(model).__name__}"
        raise MicronetError(
            f"dnw-release judges {WIRING} and {PRUNED}, found {found}.",
            "Choose another rule book, such as --rules macs.",
        )
    if any(parameter.is_meta for parameter in model.parameters()):
        raise MicronetError(f"dnw-release needs the weights of {architecture}, found only shapes.")
    settings = ARCHITECTURES[architecture].complete(architecture, config)
    prune_rate = float(1 - Fraction(str(settings["density"])))
    if isinstance(model, ResNet):
        return _count_resnet(model, prune_rate, dense_first=bool(settings["dense_first"]))
    graphs = [
        alive_nodes(block.shape, block.graph.edge_weights())
        for block in cast("list[Block]", list(model.layers))
    ]
    sparse = settings["classifier"] == "sparse"
    count = count_wiring(graphs, prune_rate, int(settings["classes"]), sparse_classifier=sparse)
    as_assumed = settings["image_size"] == IMAGE[2]
    return ReleaseCount(count.layers, () if as_assumed else (OTHER_SIZE,))


def alive_nodes(shape: BlockShape, weight: Tensor) -> AliveNodes:
    """Live nodes of a graph by its weights [targets, sources, …], illegal entries included."""
    edges = weight.detach().flatten(1) != 0
    if edges.shape != (shape.targets, shape.sources):
        raise MicronetError(
            f"A graph of {shape.targets} targets and {shape.sources} sources cannot have "
            f"{edges.shape[0]} × {edges.shape[1]} edges."
        )
    has_output, has_input = edges.any(dim=0), edges.any(dim=1)
    return AliveNodes(
        shape,
        int(has_output[: shape.inputs].sum()),
        int(has_output.sum()),
        int(has_input[-shape.outputs :].sum()),
    )


def _count_resnet(model: ResNet, prune_rate: float, *, dense_first: bool) -> ReleaseCount:
    layers: list[ReleaseLayer] = []
    weights = {name: layer.weight for name, layer in _linear_layers(model)}
    for op in trace(model, [meta_input(IMAGE)]).operations:
        if op.name == "convolution":
            weight, shape = weights[op.module], op.outputs[0].shape
            rate = 0.0 if dense_first and op.module == "conv1" else prune_rate
            nonzero = int(weight.count_nonzero())
            uses = shape[2] * shape[3]
            layers.append(count_pruned(op.module, nonzero, weight.numel(), uses, rate))
        elif op.module == "avgpool":
            channels = op.inputs[0].shape[1]
            layers.append(ReleaseLayer("avgpool", 0, op.inputs[0].numel, channels, channels))
    notes = ("counted from the declared pruning rate, as its authors did, not from the weights",)
    return ReleaseCount(tuple(layers), notes)


def _linear_layers(model: nn.Module) -> list[tuple[str, nn.Conv2d | nn.Linear]]:
    modules = model.named_modules()
    return [(name, each) for name, each in modules if isinstance(each, (nn.Conv2d, nn.Linear))]


def release_tally(model: nn.Module, architecture: str, config: Mapping[str, object]) -> Tally:
    """The count as a bill of multiply-accumulates and 32-bit values."""
    count = count_release(model, architecture, config)
    linear = [layer for _, layer in _linear_layers(model)]
    weights = [each.edge_weights() if isinstance(each, Edges) else each.weight for each in linear]
    active = sum(int(weight.count_nonzero()) for weight in weights)
    cost = Cost(count.macs, total=Fraction(count.macs))
    return Tally(
        layers=tuple(_bill_row(layer) for layer in count.layers),
        cost=cost,
        storage_bits=32 * count.parameters,
        storage_by={"values": 32 * count.parameters},
        stored=sum(weight.numel() for weight in weights),
        active=active,
        live=active,
        freebie=False,
        notes=count.notes,
    )


def _bill_row(layer: ReleaseLayer) -> Layer:
    operator = "graph" if layer.name.startswith("layers.") else "convolution"
    operator = {"pool": "pool", "avgpool": "pool", "linear": "linear"}.get(layer.name, operator)
    cost = Cost(layer.macs, total=Fraction(layer.macs))
    return Layer(layer.name, operator, cost, storage_bits=32 * layer.parameters)


def recount(
    model: nn.Module, architecture: str, config: Mapping[str, object]
) -> tuple[dict[str, Any], str | None]:
    """(quantity → number as DNW's authors would claim it, what that number leaves open)."""
    count = count_release(model, architecture, config)
    found: dict[str, Any] = {"parameters": count.parameters, "macs": count.macs}
    if architecture == PRUNED:
        found["score"] = entry_score(count)
        return found, None
    macs, _ = stem_and_nodes(count)
    return found, f"up to {macs:,} of them go as stem channels and nodes die in training"


def entry_score(count: ReleaseCount) -> Fraction:
    """The score that the challenge entry reached: half the values, and 0.5 + 1 operations a MAC.

    16-bit values and multiplications, 32-bit additions, one of each a MAC; no bitmask
    (micronet-challenge.github.io, Leaderboard: 0.8460).
    """
    return track("imagenet").score(Fraction(count.parameters, 2), Fraction(3 * count.macs, 2)).total


def what_would_have_to_be_dead(
    model: nn.Module, config: Mapping[str, object], claimed_macs: str, claimed_parameters: str
) -> WouldBeDead:
    """What a claim for a MobileNetV1-like wiring implies, beyond what is dead in ``model`` already.

    The claims are as printed, such as "582M" and "4.2M".
    """
    return would_be_dead(count_release(model, WIRING, config), claimed_macs, claimed_parameters)
