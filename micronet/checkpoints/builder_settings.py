"""How torchvision's builder has to be called for the weights in a file, read off their shapes."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.card_schema import MAX_PIXELS
from micronet.checkpoints.published import TORCHVISION, entry_of
from micronet.errors import MicronetError
from micronet.models.architectures import IMAGENET, Architecture, Setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    Tensors = Mapping[str, torch.Tensor]

_CLASSES: Final = 1000
_MOST_CLASSES: Final = 100_000  # as many rows need no memory in a file without columns
_PIXELS: Final = 224
_CLASSIFIER: Final = re.compile(r"(?:fc|head|heads\.head|classifier(?:\.(\d+))?)\.weight")
# Networks with heads for training alone, by a tensor of these. They rescale their input from
# ImageNet's deviation to -1…1 (transform_input) where the weights descend from TensorFlow's.
_HEADS: Final = {
    "inception_v3": "AuxLogits.conv0.conv.weight",
    "googlenet": "aux1.conv.conv.weight",
}


def settings_of(spec: str, tensors: Tensors, sha256: str | None) -> dict[str, Any]:
    """The builder's keywords for ``tensors``, without those that are as torchvision presumes.

    ``num_classes`` is the rows of the classifier, ``image_size`` follows from the number of a
    vision transformer's positions. ``aux_logits`` is False where a file has no auxiliary heads.
    ``transform_input`` is True for published weights, and for a googlenet without heads: torchvision
    drops them from the network with published weights, and from no other.
    """
    name = spec.removeprefix(TORCHVISION)
    classes, pixels = _rows(tensors), _image_size(name, tensors)
    found: dict[str, Any] = {}
    if classes != _CLASSES and 1 <= classes <= _MOST_CLASSES:
        found["num_classes"] = classes
    if pixels != _PIXELS and 1 <= pixels <= MAX_PIXELS:
        found["image_size"] = pixels
    if name in _HEADS:
        if _HEADS[name] not in tensors:
            found["aux_logits"] = False
        if entry_of(spec, sha256) or (name == "googlenet" and "aux_logits" in found):
            found["transform_input"] = True
    return found


def checked(spec: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """``config``, which a file brings along, if it is such keywords; MicronetError if not."""
    name = spec.removeprefix(TORCHVISION)
    known = {"num_classes": Setting(_CLASSES, 1, _MOST_CLASSES)}
    if name.startswith("vit_"):
        known["image_size"] = Setting(_PIXELS, 1, MAX_PIXELS)
    if name in _HEADS:
        known["aux_logits"] = Setting(default=True)
        known["transform_input"] = Setting(default=False)
    complete = Architecture("", IMAGENET, known).complete(spec, config)
    if complete.get("image_size", 0) % _patch(name):
        raise MicronetError(f"{spec}: image_size = {config['image_size']!r} is not allowed.")
    return {key: complete[key] for key in config}


def remarks(spec: str, settings: Mapping[str, Any], sha256: str | None) -> tuple[str, ...]:
    """What the user should know of the file's weights and of the settings found for them."""
    entry = entry_of(spec, sha256)
    said = [f"these are torchvision's published {entry}"] if entry else []
    if "num_classes" in settings:
        said.append(f"the classifier has {settings['num_classes']} classes, as in the file")
    if "aux_logits" in settings:
        said.append("built without auxiliary heads, which the file does not have")
    if settings.get("transform_input"):
        said.append("the network rescales its input (transform_input), as published weights need")
    elif spec.removeprefix(TORCHVISION) in _HEADS:
        said.append(
            "the network does not rescale its input (transform_input); weights that descend from "
            "published ones need that: --model file.py:factory"
        )
    return tuple(said)


def _rows(tensors: Tensors) -> int:
    """Rows of the last classifier layer; 0 where there is none."""
    found = [(int(m[1] or 0), name) for name in tensors if (m := _CLASSIFIER.fullmatch(name))]
    last = tensors[max(found)[1]] if found else None
    return last.shape[0] if last is not None and last.dim() > 1 else 0


def _image_size(name: str, tensors: Tensors) -> int:
    """The pixels whose patches a vision transformer has positions for (and one for the class)."""
    positions = tensors.get("encoder.pos_embedding")
    if not name.startswith("vit_") or positions is None or positions.dim() != 3:
        return 0
    return _patch(name) * math.isqrt(max(positions.shape[1] - 1, 0))


def _patch(name: str) -> int:
    """Pixels of a patch's side, which torchvision puts into the name: ``vit_b_16``."""
    return int(name.rpartition("_")[2]) if name.startswith("vit_") else 1
