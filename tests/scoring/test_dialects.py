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
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from micronet.scoring.rulebook import rule_book
from micronet.scoring.tally import Tally, tally
from micronet.scoring.trace import meta_input, trace
from micronet.scoring.work import Network

if TYPE_CHECKING:
    from torch import Tensor

# torchvision's classification architectures: input pixels, and settings of the builder.
# Small images where the architecture takes them: a rule that holds at 64 pixels is the same at 224.
# The tools' own shares of pixels that do not divide (adaptive pooling of thop) are kept out that way:
# AlexNet and VGG pool 6×6 to 6×6 and 7×7 to 7×7 at 224 only.
NETWORKS: dict[str, tuple[int, dict[str, Any]]] = {
    "alexnet": (224, {}),
    "vgg11": (224, {}),
    "resnet18": (64, {}),
    "resnet50": (64, {}),
    "resnext50_32x4d": (64, {}),
    "densenet121": (64, {}),
    "googlenet": (64, {"init_weights": False}),
    "inception_v3": (299, {"init_weights": False}),
    "squeezenet1_0": (64, {}),
    "mobilenet_v2": (64, {}),
    "mobilenet_v3_small": (64, {}),
    "mobilenet_v3_large": (64, {}),
    "shufflenet_v2_x1_0": (64, {}),
    "mnasnet1_0": (64, {}),
    "efficientnet_b0": (64, {}),
    "efficientnet_v2_s": (64, {}),
    "regnet_y_400mf": (64, {}),
    "convnext_tiny": (64, {}),
    "vit_b_16": (224, {}),
    "vit_b_32": (64, {"image_size": 64}),
    "swin_t": (64, {}),
    "swin_v2_t": (64, {}),
    "maxvit_t": (224, {}),
}
TOOLS = ("fvcore", "thop", "torch")


def build(name: str) -> nn.Module:
    """The network with memory for its weights but nothing in it: costs of dense networks are shapes."""
    from torchvision import models

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: nn.Module = models.get_model(name, weights=None, **NETWORKS[name][1])
    return model.eval()


@cache
def bill(name: str, book: str) -> Tally:
    model, _ = traced(name)
    learned = [(key, tensor.numel()) for key, tensor in model.named_parameters()]
    return tally(traced(name)[1], rule_book(book), learned)


@cache
def traced(name: str) -> tuple[nn.Module, Network]:
    model = build(name)
    pixels = NETWORKS[name][0]
    return model, Network(trace(model, [meta_input((1, 3, pixels, pixels))]))


def fvcore_total(model: nn.Module, image: Tensor) -> int:
    from fvcore.nn import FlopCountAnalysis

    found = FlopCountAnalysis(model, image).unsupported_ops_warnings(enabled=False)
    return int(found.uncalled_modules_warnings(enabled=False).total())


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
if __name__ == "__main__":
    import time
    warnings.simplefilter("ignore")
    for n in NETWORKS:
        t=time.time()
        print(n, RUN[sys.argv[1]](build(n), torch.zeros(1,3,NETWORKS[n][0],NETWORKS[n][0])), f"{time.time()-t:.2f}", bill(n, sys.argv[1]).cost.total, f"{time.time()-t:.2f}", flush=True)
