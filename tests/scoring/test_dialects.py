"""The dialect books give fvcore's, thop's and FlopCounterMode's own totals, to the unit.

Each tool really runs, in a process of its own because some leave marks behind: this file, run as a
script with the tool's name, prints the tool's total for every network as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from micronet.scoring.kinds import kind_of
from micronet.scoring.network import Network
from micronet.scoring.rulebook import rule_book
from micronet.scoring.tally import Tally, tally
from micronet.scoring.trace import meta_input, trace
from micronet.scoring.work import work
from tests.scoring import small
from tests.scoring.dialect_layers import LAYERS, NOT_REPRODUCED

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

TOOLS = ("fvcore", "thop", "torch")
# torchvision's classification architectures, and the pixels of a side: small where that is possible,
# since a rule that holds at 64 pixels holds at 224. AlexNet and VGG need 224: only there does their
# adaptive pooling divide, and thop multiplies by the quotient as a floating-point number.
PIXELS = {
    "alexnet": 224,
    "vgg11": 224,
    "resnet18": 64,
    "resnet50": 64,
    "resnext50_32x4d": 64,
    "densenet121": 64,
    "googlenet": 64,
    "inception_v3": 299,
    "squeezenet1_0": 64,
    "mobilenet_v2": 64,
    "mobilenet_v3_small": 64,
    "mobilenet_v3_large": 64,
    "shufflenet_v2_x1_0": 64,
    "mnasnet1_0": 64,
    "efficientnet_b0": 64,
    "efficientnet_v2_s": 64,
    "regnet_y_400mf": 64,
    "convnext_tiny": 64,
    "vit_b_16": 224,
    "vit_b_32": 64,
    "swin_t": 64,
    "swin_v2_t": 64,
    "maxvit_t": 224,
}


def build(name: str) -> nn.Module:
    from torchvision import models

    settings: dict[str, Any] = {"weights": None}
    if name in ("googlenet", "inception_v3"):
        settings["init_weights"] = False
    if name == "vit_b_32":
        settings["image_size"] = PIXELS[name]
    model: nn.Module = models.get_model(name, **settings)
    return model.eval()


def on_meta(name: str) -> nn.Module:
    """The network without memory; RegNet computes its widths with tensors, so it is built for real."""
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        return build(name)


def in_memory(name: str) -> nn.Module:
    """The network with memory; initialised only where it looks something up in its buffers."""
    model = on_meta(name)
    if any(tensor.ndim and not tensor.is_floating_point() for tensor in model.buffers()):
        return build(name)
    if any(tensor.is_meta for tensor in model.parameters()):
        model.to_empty(device="cpu")
    return model


@cache
def network(name: str) -> tuple[Network, tuple[tuple[str, int], ...]]:
    """The traced network, and its learned numbers."""
    model = on_meta(name)
    learned = tuple((key, tensor.numel()) for key, tensor in model.named_parameters())
    return Network(trace(model, [meta_input((1, 3, PIXELS[name], PIXELS[name]))])), learned


def bill(name: str, book: str) -> Tally:
    return tally(network(name)[0], rule_book(book), network(name)[1])


def fvcore_total(model: nn.Module, image: Tensor) -> int:
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(model, image)
    analysis.unsupported_ops_warnings(enabled=False).uncalled_modules_warnings(enabled=False)
    return int(analysis.total())


def thop_total(model: nn.Module, image: Tensor) -> int:
    import thop

    return int(thop.profile(model, (image,), verbose=False)[0])


def torch_total(model: nn.Module, image: Tensor) -> int:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model(image)
    return int(counter.get_total_flops())


RUN: dict[str, Callable[[nn.Module, Tensor], int]] = {
    "fvcore": fvcore_total,
    "thop": thop_total,
    "torch": torch_total,
}


@cache
def totals(tool: str) -> dict[str, int]:
    """What ``tool`` itself says about each network and layer."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, tool],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    found: dict[str, int] = json.loads(ran.stdout.splitlines()[-1])
    return found


def einsum_rounding(name: str) -> int:
    """How far fvcore's einsum is off: half of what numpy prints with four digits, one added."""
    bills = work(network(name)[0], "stored", fold=False)
    exact = [entry.products for entry in bills if kind_of(entry.operation) == "product"]
    return sum(
        int(float(f"{2 * products + 1:.3e}") / 2) - products for products in exact if products
    )


# Swin V2 computes its position biases from constants, by an MLP 2 → 512 → heads at (2·8 - 1)² places.
# They depend on no image, so a deployed network holds the result, and we count no operation; the tools
# count it in every forward pass. Blocks and heads: 2 of 3, 2 of 6, 6 of 12, 2 of 24.
SWIN_V2_BIASES = sum(
    blocks * 15 * 15 * (2 * 512 + 512 * heads)
    for blocks, heads in ((2, 3), (2, 6), (6, 12), (2, 24))
)
# What the books do not reproduce, exactly, and why; everything else must agree to the unit.
DIFFERENCES: dict[tuple[str, str], Callable[[], int]] = {
    ("fvcore", "swin_v2_t"): lambda: SWIN_V2_BIASES,
    ("thop", "swin_v2_t"): lambda: SWIN_V2_BIASES,
    ("torch", "swin_v2_t"): lambda: 2 * SWIN_V2_BIASES,  # a multiply-accumulate is two flops
    ("fvcore", "maxvit_t"): lambda: einsum_rounding("maxvit_t"),
}


def test_enough_architectures_are_compared() -> None:
    assert len(PIXELS) >= 20


@pytest.mark.parametrize("name", PIXELS)
@pytest.mark.parametrize("tool", TOOLS)
def test_a_dialect_gives_its_tools_own_total(tool: str, name: str) -> None:
    difference = DIFFERENCES[tool, name]() if (tool, name) in DIFFERENCES else 0
    assert bill(name, tool).cost.total + difference == totals(tool)[name]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("tool", TOOLS)
def test_a_dialect_prices_single_layers_as_its_tool(tool: str, layer: str) -> None:
    model, shape = LAYERS[layer]
    agrees = small.bill(model.eval(), shape, book=tool).cost.total == totals(tool)[layer]
    assert agrees == ((tool, layer) not in NOT_REPRODUCED)


def test_swin_v2_biases_are_what_we_leave_out() -> None:
    # 12 blocks · 225 places · 2·512, and 225 · 512 · (2·3 + 2·6 + 6·12 + 2·24) heads
    assert SWIN_V2_BIASES == 12 * 225 * 1024 + 225 * 512 * 138 == 18_662_400


def test_fvcore_rounds_the_einsums_of_maxvit() -> None:
    assert einsum_rounding("maxvit_t") == 1072


# ViT-B/16 at 224: 12 layers of 12 heads of 64, 197 tokens. Two products a layer, Q·Kᵀ and P·V.
ATTENTION = 12 * 2 * 12 * 197 * 197 * 64
# Their four projections, 768 → 768, which thop does not see either: the module calls no Linear.
PROJECTIONS = 12 * 4 * 197 * 768 * 768


@pytest.mark.parametrize(
    ("book", "unseen"),
    [
        ("fvcore", ATTENTION),
        ("torch", ATTENTION),
        ("thop", ATTENTION + PROJECTIONS),
    ],
)
def test_what_a_tool_silently_leaves_out_is_said(book: str, unseen: int) -> None:
    said = f"{book} does not see {unseen:,} multiply-accumulates that really run"
    assert bill("vit_b_16", book).notes == (said,)
    whole = bill("vit_b_16", "macs").cost.total
    assert whole == 17_563_828_224
    assert bill("vit_b_16", book).cost.multiplications == whole - unseen


def test_the_unseen_numbers_of_vit() -> None:
    assert ATTENTION == 715_327_488
    assert ATTENTION + PROJECTIONS == 6_292_703_232


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "efficientnet_b0"])
@pytest.mark.parametrize("book", TOOLS)
def test_nothing_is_said_where_nothing_is_left_out(book: str, name: str) -> None:
    assert bill(name, book).notes == ()


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    run = RUN[sys.argv[1]]
    found = {name: run(model.eval(), torch.ones(shape)) for name, (model, shape) in LAYERS.items()}
    for name, pixels in PIXELS.items():
        found[name] = run(in_memory(name), torch.zeros(1, 3, pixels, pixels))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
