"""From an image's bytes to the pixels that enter the network, bit for bit as torchvision does it.

The reference is what `torchvision.datasets.ImageFolder` gives with Resize, CenterCrop, ToTensor and
Normalize: PIL decodes and converts to RGB, an EXIF rotation is not applied, a CMYK or grey image is
converted, one of 16 bits is cut off at 255 as PIL does it. Two decoders are faster and differ a
little: "torchvision" (its own decoder of JPEG files, and its resize of tensors) and "draft"
(libjpeg-turbo skips the frequencies that the resize would remove).
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from micronet.checkpoints.card import Preprocessing

REFERENCE: Final = "pil"
DECODERS: Final = (REFERENCE, "torchvision", "draft")
# Decoders of formats raise whatever a broken file makes of them.
_BROKEN: Final = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, AttributeError, LookupError),
    *(ArithmeticError, AssertionError, MemoryError, RuntimeError, SystemError, Warning),
    *(struct.error, zlib.error),
    Image.DecompressionBombError,
)


# Those of data.files.IMAGE_SUFFIXES and GIF. Pillow would read others too: EPS by running Ghostscript.
_FORMATS: Final = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_JPEG: Final = ("JPEG", "MPO")
_MAX_SIDE: Final = 2**16  # a JPEG file's largest; each row costs memory, however short it is
_MAX_RESIZED_PIXELS: Final = 2**25
# What in a reason is another one tomorrow or elsewhere: addresses, and where a wheel was built
_PASSING: Final = re.compile(r" at 0x[0-9a-fA-F]+|^\S+ \S+\.cpp:\d+, ")


class UnreadableError(Exception):
    """No image can be made of the bytes; the message says why in a few words."""


def pixels(sample: bytes | Image.Image, look: Preprocessing, decoder: str) -> NDArray[np.uint8]:
    """Decode, resize and crop one image: uint8 [height, width, 3].

    Raises UnreadableError for whatever is not a whole image, and for one of more pixels than
    ``PIL.Image.MAX_IMAGE_PIXELS`` (where PIL's warning is an error, see ``run``), resized or not.
    """
    try:
        if decoder == "torchvision" and isinstance(sample, bytes):
            return _of_tensor(_torchvision_decoded(sample, look), look)
        image = _decoded(sample, look, draft=decoder == "draft")
        return _of_tensor(_as_tensor(image), look) if not look.antialias else _of_image(image, look)
    except UnidentifiedImageError as error:
        raise UnreadableError("no image of a known format") from error
    except _BROKEN as error:
        reason = _PASSING.sub("", str(error).strip()).splitlines()
        raise UnreadableError(reason[0][:200] if reason else type(error).__name__) from error


def normalised(batch: Sequence[NDArray[np.uint8]], look: Preprocessing) -> Tensor:
    """The network's input, float32 [n, 3, height, width] in channels-last memory.

    Bit-equal to ToTensor and Normalize: divided by 255, the mean taken off, divided by deviation.
    """
    raw = torch.from_numpy(np.stack(batch))
    images, height, width, colours = raw.shape
    # Whole rows at once: torch's loop over three colours takes five times as long.
    mean, std = (torch.tensor(values).repeat(width) for values in (look.mean, look.std))
    rows = raw.to(torch.float32).view(images, height, width * colours)
    return rows.div_(255).sub_(mean).div_(std).view(raw.shape).permute(0, 3, 1, 2)


def _decoded(
    sample: bytes | Image.Image, look: Preprocessing, *, draft: bool = False
) -> Image.Image:
    if isinstance(sample, Image.Image):
        return sample.convert("RGB")
    with Image.open(io.BytesIO(sample), formats=_FORMATS) as image:
        _bound(image, look)
        if draft and look.resize is not None:
            sides = look.resize if isinstance(look.resize, tuple) else (look.resize,) * 2
            image.draft("RGB", (2 * sides[1], 2 * sides[0]))  # never below twice the size asked for
        return image.convert("RGB")


def _bound(image: Image.Image, look: Preprocessing) -> None:
    """Refuse a strip so narrow that it, or its resized form, would not fit in memory."""
    short, long = sorted(image.size)
    if long > _MAX_SIDE:
        raise ValueError(f"{image.width}×{image.height} pixels, more than {_MAX_SIDE:,} in a row")
    if isinstance(look.resize, int) and look.resize**2 * long > _MAX_RESIZED_PIXELS * short:
        becomes = f"{look.resize}×{look.resize * long // short:,}"
        raise ValueError(f"{image.width}×{image.height} pixels would be resized to {becomes}")


def _torchvision_decoded(sample: bytes, look: Preprocessing) -> Tensor:
    from torchvision.io import ImageReadMode, decode_jpeg

    with Image.open(io.BytesIO(sample), formats=_FORMATS) as opened:
        _bound(opened, look)
        jpeg = opened.format in _JPEG
    if not jpeg:  # torchvision 0.29 dies of a broken PNG, and gives others 16 bits or many frames
        return _as_tensor(_decoded(sample, look))
    data = torch.frombuffer(bytearray(sample), dtype=torch.uint8)
    image: Tensor = decode_jpeg(data, ImageReadMode.RGB)
    return image


def _as_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _of_image(image: Image.Image, look: Preprocessing) -> NDArray[np.uint8]:
    if look.resize is not None:
        image = F.resize(image, look.resize, _mode(look))
    if look.crop is not None:
        image = F.center_crop(image, [look.crop])
    return np.asarray(image)


def _of_tensor(image: Tensor, look: Preprocessing) -> NDArray[np.uint8]:
    if look.resize is not None:
        image = F.resize(image, look.resize, _mode(look), antialias=look.antialias)
    if look.crop is not None:
        image = F.center_crop(image, [look.crop])
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())


def _mode(look: Preprocessing) -> InterpolationMode:
    return InterpolationMode("bilinear" if look.interpolation == "none" else look.interpolation)
