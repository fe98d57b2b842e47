"""The weights that torchvision publishes: which entry a file is, and how it is evaluated.

torchvision names its files by their content: ``mobilenet_v2-7ebf99e0.pth`` begins with these
digits of its sha256.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

TORCHVISION: Final = "torchvision:"
_FIRST: Final = "IMAGENET1K_V1"
_DIGITS: Final = re.compile(r"[-_]([0-9a-f]{8,64})\.pth$")  # of the sha256, in an address


def entries(spec: str) -> tuple[WeightsEnum, ...]:
    """What is published for ``torchvision:NAME``, IMAGENET1K_V1 first; nothing for other names."""
    from torchvision import models

    if not spec.startswith(TORCHVISION):
        return ()
    try:
        found: Any = models.get_model_weights(spec.removeprefix(TORCHVISION))
    except ValueError:
        return ()
    return tuple(sorted(found, key=lambda entry: entry.name != _FIRST))


def entry_of(spec: str, sha256: str | None) -> WeightsEnum | None:
    """The published weights of ``spec`` whose file has this sha256."""
    for entry in entries(spec) if sha256 else ():
        digits = _DIGITS.search(entry.url)
        if digits and str(sha256).startswith(digits[1]):
            return entry
    return None


def crop_pixels(entry: WeightsEnum) -> int | None:
    """The side in pixels of the square that ``entry`` is evaluated on; None if it says none."""
    crop = getattr(entry.transforms(), "crop_size", None)
    return int(crop[0]) if isinstance(crop, list) and len(crop) == 1 else None
