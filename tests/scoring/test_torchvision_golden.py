"""torchvision's published operations and parameters of every weight it ships, under ``macs``.

``_ops`` is round(multiply-accumulates / 1e9, 3), counted by torchvision itself with a dispatch mode
over convolutions and matrix products, every stored edge included, on one input of the size that the
weight's own preprocessing gives (test/common_extended_utils.py, get_ops, in pytorch/vision): 16 frames
for video, 512 × 512 for optical flow, a resize to 520 for segmentation.
"""

from __future__ import annotations

import inspect
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.models.regnet import BlockParams

from micronet.errors import MicronetError
from micronet.scoring.network import Network
from micronet.scoring.rulebook import rule_book
from micronet.scoring.tally import tally
from micronet.scoring.trace import meta_input, trace

if TYPE_CHECKING:
    from collections.abc import Iterator

MACS = rule_book("macs")


class Case(NamedTuple):
    """One architecture at one input size, with what torchvision publishes about it."""

    name: str
    shape: tuple[int, ...]
    settings: tuple[tuple[str, Any], ...]
    giga_macs: float
    parameters: int


def task(name: str) -> str:
    """``classification``, or the subpackage of torchvision.models that holds the builder."""
    place = models.get_model_builder(name).__module__.split(".")
    return place[2] if len(place) > 3 else "classification"


def case(name: str, weight: Any) -> Case:
    settings: dict[str, Any] = {"weights": None}
    taken = inspect.signature(models.get_model_builder(name)).parameters
    if "weights_backbone" in taken:
        settings["weights_backbone"] = None
    family, crop = task(name), getattr(weight.transforms(), "crop_size", [])
    if family == "video":
        shape = (1, 3, 16, *crop)
    elif family == "segmentation":
        shape = (1, 3, 520, 520)
        settings["num_classes"] = len(weight.meta["categories"])
        if "aux_loss" in taken:  # the published weights carry the auxiliary head
            settings["aux_loss"] = True
    elif family == "optical_flow":
        shape = (1, 3, 512, 512)
    else:
        shape = (1, 3, crop[0], crop[0])
    if name.startswith("vit_"):
        settings["image_size"] = crop[0]
    if "googlenet" in name or "inception" in name:
        settings["init_weights"] = False
    if "googlenet" in name:  # its published weights have no auxiliary heads, those of Inception do
        settings["aux_logits"] = False
    if family == "quantization":  # "we take unquantized FLOPs instead" (test_extended_models.py)
        settings["quantize"] = False
    ordered = tuple(sorted(settings.items()))
    return Case(name, shape, ordered, weight.meta["_ops"], weight.meta["num_params"])


# Weights that cannot be counted, each with the reason. Nothing else may be left out.
PROPOSALS = "which boxes a detector keeps depends on its trained weights and on the image"
NOT_COUNTED = {
    **dict.fromkeys(
        (
            "fasterrcnn_mobilenet_v3_large_320_fpn",
            "fasterrcnn_mobilenet_v3_large_fpn",
            "fasterrcnn_resnet50_fpn",
            "fasterrcnn_resnet50_fpn_v2",
            "fcos_resnet50_fpn",
            "keypointrcnn_resnet50_fpn",
            "maskrcnn_resnet50_fpn",
            "maskrcnn_resnet50_fpn_v2",
            "retinanet_resnet50_fpn",
            "retinanet_resnet50_fpn_v2",
            "ssd300_vgg16",
            "ssdlite320_mobilenet_v3_large",
        ),
        PROPOSALS,
    ),
}
CASES = sorted(
    {
        case(name, weight)
        for name in models.list_models()
        if name not in NOT_COUNTED
        for weight in models.get_model_weights(name)
    }
)
# Edges that torchvision counts and that do no work here: `macs` counts live edges.
DEAD_MACS = {
    # ASPP's convolution of dilation 36 sees 33 × 33 positions (520 / 16): only its middle tap ever
    # meets anything but padding. 8 taps × 960 inputs × 256 outputs × 33² positions.
    "deeplabv3_mobilenet_v3_large": 8 * 960 * 256 * 33 * 33,
    # The last block's class token alone reaches the head, and its query is neither pooled nor given
    # relative positions: the pooling of the other queries (8 heads share 96 · 3³ taps at 8 · 7 · 7
    # places) and their products with rel_pos_h, _w (7 of 448 × 96 × 7 each) and _t (8 of 392 × 96 × 8).
    "mvit_v2_s": 8 * 96 * 27 * 8 * 7 * 7 + 2 * (7 * 448 * 96 * 7) + 8 * 392 * 96 * 8,
}


def position_bias_macs(*stages: tuple[int, int]) -> int:
    """Swin V2's position biases: an MLP 2 → 512 → heads at (2·8 - 1)² offsets in every block.

    It reads constants only, so a deployed network holds its result and we count nothing;
    torchvision's counter sees it run. ``stages``: (blocks, heads).
    """
    return sum(blocks * 15 * 15 * (2 * 512 + 512 * heads) for blocks, heads in stages)


CONSTANT_MACS = {
    # RAFT's first guess of the flow is 0 for every image: two convolutions of it, on 64 × 64 places.
    "raft_small": (2 * 64 * 7 * 7 + 64 * 32 * 3 * 3) * 64 * 64,
    "raft_large": (2 * 128 * 7 * 7 + 128 * 64 * 3 * 3) * 64 * 64,
    "swin_v2_t": position_bias_macs((2, 3), (2, 6), (6, 12), (2, 24)),
    "swin_v2_s": position_bias_macs((2, 3), (2, 6), (18, 12), (2, 24)),
    "swin_v2_b": position_bias_macs((2, 4), (2, 8), (18, 16), (2, 32)),
}


@contextmanager
def widths_on_cpu() -> Iterator[None]:
    """RegNet computes its widths with tensors, so they need values while the rest has shapes only."""
    widths = BlockParams.from_init_params

    def compute(*args: Any, **kwargs: Any) -> BlockParams:
        with torch.device("cpu"):
            return widths(*args, **kwargs)

    with mock.patch.object(BlockParams, "from_init_params", compute):
        yield


@cache
def built(name: str, settings: tuple[tuple[str, Any], ...], device: str = "meta") -> nn.Module:
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(widths_on_cpu())
        stack.enter_context(torch.device(device))
        model: nn.Module = models.get_model(name, **dict(settings))
    return model.eval()


def title(case: Case) -> str:
    return f"{case.name}-{'x'.join(map(str, case.shape[2:]))}"


SLOW = ("mvit_v1_b", "mvit_v2_s", "swin3d_b", "swin3d_s", "swin3d_t", "vit_h_14")


def marked(case: Case) -> Any:
    return pytest.param(case, id=title(case), marks=[pytest.mark.slow] * (case.name in SLOW))


@pytest.mark.parametrize("case", [marked(case) for case in CASES])
def test_published_operations_and_parameters(case: Case) -> None:
    model = built(case.name, case.settings)
    images = [meta_input(case.shape)] * (1 + (task(case.name) == "optical_flow"))
    network = Network(trace(model, images))
    learned = [(name, tensor.numel()) for name, tensor in model.named_parameters()]
    dense = tally(network, replace(MACS, edges="stored"), learned)
    assert dense.storage_bits == 32 * case.parameters
    run = dense.cost.multiplications + CONSTANT_MACS.get(case.name, 0)
    assert round(run / 1e9, 3) == case.giga_macs
    live = tally(network, MACS, learned).cost
    assert live.total == live.multiplications
    assert live.multiplications + DEAD_MACS.get(case.name, 0) == dense.cost.multiplications


def test_every_published_weight_is_counted_or_listed() -> None:
    everything = {name for name in models.list_models() if list(models.get_model_weights(name))}
    counted = {case.name for case in CASES}
    assert counted.isdisjoint(NOT_COUNTED)
    assert counted | set(NOT_COUNTED) == everything
    assert len([n for n in everything if task(n) == "classification"]) >= 80
    assert {task(name) for name in NOT_COUNTED} == {"detection"}


# Three of torchvision's tables, so that the cases cannot shrink with a torchvision that lists less.
@pytest.mark.parametrize(
    ("name", "macs", "parameters"),
    [
        ("resnet50", 4_089_184_256, 25_557_032),
        ("mobilenet_v2", 300_774_272, 3_504_872),
        ("vit_b_16", 17_563_828_224, 86_567_656),
    ],
)
def test_known_totals(name: str, macs: int, parameters: int) -> None:
    found = [case for case in CASES if case.name == name and case.shape[-1] == 224]
    assert [(round(macs / 1e9, 3), parameters)] == [(c.giga_macs, c.parameters) for c in found]
    network = Network(trace(built(name, found[0].settings), [meta_input(found[0].shape)]))
    assert tally(network, MACS).cost.total == macs


def test_a_detector_names_the_operators_without_price() -> None:
    settings = (("weights", None), ("weights_backbone", None))
    model = built("ssdlite320_mobilenet_v3_large", settings, "cpu")
    traced = trace(model, [meta_input((1, 3, 320, 320))])
    assert len(traced.notes) == 1
    assert traced.notes[0].startswith("traced on one real random input")
    with pytest.raises(MicronetError, match=r"No price for .*torchvision.nms"):
        tally(Network(traced), MACS)


def test_a_quantised_network_names_its_kernels() -> None:
    model = built("quantized_resnet18", (("quantize", True), ("weights", None)), "cpu")
    traced = trace(model, [meta_input((1, 3, 64, 64))])
    with pytest.raises(MicronetError, match=r"No price for .*quantized.conv2d_relu.new in conv1"):
        tally(Network(traced), MACS)
