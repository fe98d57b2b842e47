"""Which architecture a bare state dict belongs to, by the names and shapes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch

from micronet.checkpoints.builder_settings import settings_of
from micronet.checkpoints.factory import factory_of, on_meta
from micronet.checkpoints.oldkeys import modernised
from micronet.checkpoints.published import TORCHVISION

State = Mapping[str, torch.Tensor]

# A key that only this family has, and the beginnings of its members' names in torchvision.
_FAMILIES: Final = {
    "layer1.0.conv1.weight": ("resnet", "resnext", "wide_resnet"),
    "features.3.squeeze.weight": ("squeezenet",),
    "features.transition1.norm.weight": ("densenet",),
    "features.1.conv.0.0.weight": ("mobilenet_v2",),
    "features.1.block.0.0.weight": ("mobilenet_v3",),
    "features.1.0.block.0.0.weight": ("efficientnet",),
    "features.1.0.block.0.weight": ("convnext",),
    "classifier.6.weight": ("vgg", "alexnet"),
    "stage2.0.branch1.0.weight": ("shufflenet",),
    "layers.8.0.layers.0.weight": ("mnasnet",),
    "trunk_output.block1.block1-0.f.a.0.weight": ("regnet",),
    "inception3a.branch1.conv.weight": ("googlenet",),
    "Mixed_5b.branch1x1.conv.weight": ("inception",),
    "class_token": ("vit",),
    "features.1.0.attn.qkv.weight": ("swin",),
}
CONVOLUTION_DIMENSIONS: Final = 4  # [targets, sources, height, width]
_STEM_CHANNELS: Final = 32
_CIFAR_CLASSES: Final = 10


@dataclass(frozen=True)
class Recognised:
    """An architecture of DNW's own code and what the shapes say of its configuration."""

    architecture: str
    config: Mapping[str, Any]


def dnw_family(tensors: State) -> Recognised | None:
    """The DNW architecture that ``tensors`` are the weights of, or None.

    The density of a learned wiring is not stored in such a file, so it is not in the result.
    """
    if {"conv1.weight", "layers.0.downsample.0.weight", "layers.0.graph.weight"} <= set(tensors):
        return _mobilenet(tensors)
    if "fc.weight" in tensors and "layer4.2.conv3.weight" in tensors:
        classifier = tensors["fc.weight"]
        if classifier.dim() == CONVOLUTION_DIMENSIONS:
            return Recognised("resnet50_sparse", {"classes": _rows(classifier)})
    return _tiny(tensors)


def _mobilenet(tensors: State) -> Recognised:
    sparse = "linear.graph.weight" in tensors
    last = tensors.get("linear.graph.weight" if sparse else "linear.weight")
    classes = 1000 if last is None else _rows(last)
    config = {
        "width": max(1, _rows(tensors["conv1.weight"]) // _STEM_CHANNELS),
        "classifier": "sparse" if sparse else "dense",
        "wiring": "random" if "layers.0.graph.mask" in tensors else "dnw",
        "classes": classes,
        "image_size": 32 if classes == _CIFAR_CLASSES else 224,
    }
    return Recognised("mobilenetv1_dnw", config)


def _tiny(tensors: State) -> Recognised | None:
    if "zeros" not in tensors or "fc.weight" not in tensors:
        return None
    graph = {
        "tiny_continuous": "odesolve.odefunc.graph.",
        "tiny_static": "graph.",
        "tiny_discrete": "graph.",
    }
    for name, prefix in graph.items():
        weight = tensors.get(f"{prefix}weight")
        if weight is None or (name == "tiny_static") > ("norm.0.weight" in tensors):
            continue
        wiring = "random" if f"{prefix}mask" in tensors else "dnw"
        return Recognised(name, {"dim": _rows(weight), "wiring": wiring})
    return None


def _rows(tensor: torch.Tensor) -> int:
    return tensor.shape[0] if tensor.dim() else 1


def torchvision_guess(tensors: State) -> str | None:
    """``torchvision:NAME`` if names and shapes are exactly that model's, else None."""
    from torchvision import models

    names: list[str] = models.list_models()
    for key, starts in _FAMILIES.items():
        if key not in tensors:
            continue
        for name in names:
            if name.startswith(starts) and _fits(TORCHVISION + name, tensors):
                return TORCHVISION + name
    return None


def _fits(spec: str, tensors: State) -> bool:
    model = on_meta(factory_of(spec, settings_of(spec, tensors, None)).build)
    if model is None:
        return False
    wanted = model.state_dict()
    return _shapes(modernised(tensors, wanted)) == _shapes(wanted)


def _shapes(tensors: State) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}
