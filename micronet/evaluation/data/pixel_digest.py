"""CIFAR by its pixels: names and counts can be anybody's, ten thousand small images cannot."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from PIL.Image import Image

    from micronet.evaluation.data.dataset import Example

_SIDE: Final = 32
# Computed from the published test files by ``pixel_digest``.
DIGESTS: Final[Mapping[str, str]] = {
    "cifar10-test": "d800344d7023a46eab01248384384a7bc7b00c25be172b5ea205e227d2e52d48",
    "cifar100-test": "34421cb15285c209d91fa7d899f812e486583bd2888c390be24d95064d8bd10e",
}


def pixel_digest(examples: Sequence[Example], read: Callable[[int], bytes | Image]) -> str | None:
    """A sha256 of labels and pixels, in whatever order and files; None if an image is none of CIFAR's.

    Of each image the line "LABEL SHA256", of its 32×32 RGB pixels row by row; the lines sorted.
    """
    lines = []
    for index, example in enumerate(examples):
        try:
            pixels = _pixels(read(index))
        except (OSError, ValueError, SyntaxError):
            return None
        if pixels is None:
            return None
        lines.append(f"{example.label} {hashlib.sha256(pixels).hexdigest()}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _pixels(sample: bytes | Image) -> bytes | None:
    from PIL import Image as Pillow

    image = sample
    if isinstance(image, bytes):
        image = Pillow.open(io.BytesIO(image))
    if image.size != (_SIDE, _SIDE):
        return None
    return image.convert("RGB").tobytes()
