"""The first images of a folder as inputs, prepared as the network is evaluated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from micronet.errors import MicronetError
from micronet.evaluation.data.files import MAX_IMAGE_BYTES, read_file
from micronet.evaluation.pixels import REFERENCE, UnreadableError, normalised, pixels
from micronet.evaluation.preprocessing import chosen_preprocessing

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from micronet.checkpoints.card import Preprocessing
    from micronet.checkpoints.target import LoadedTarget

IMAGES: Final = 8
_SUFFIXES: Final = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm"))
_IMAGE_DIMENSIONS: Final = 4  # [1, 3, height, width]


def pictures(loaded: LoadedTarget, folder: Path) -> list[Tensor]:
    """The first ``IMAGES`` image files under ``folder``, in the order of their paths.

    They are prepared as ``micronet evaluate`` does it without options, and squashed to the input's
    size where that resizes nothing.
    """
    shape = loaded.inputs.shape
    if len(shape) != _IMAGE_DIMENSIONS or tuple(shape[:2]) != (1, 3):
        raise MicronetError(
            f"{loaded.name} takes an input of {list(shape)}, not one colour image.",
            "Leave --data out: random inputs are compared in any case.",
        )
    if not folder.is_dir():
        raise MicronetError(f"{folder}: is not a folder of images.")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)[:IMAGES]
    if not found:
        raise MicronetError(f"{folder}: holds no image file ({', '.join(sorted(_SUFFIXES))}).")
    look, _ = chosen_preprocessing(loaded)
    if look.resize is None:  # the network's own images come in its size, these need not
        look = replace(look, resize=(shape[2], shape[3]), interpolation="bilinear")
    return [_read(path, look) for path in found]


def _read(path: Path, look: Preprocessing) -> Tensor:
    try:
        sample = read_file(str(path), MAX_IMAGE_BYTES)
        return normalised([pixels(sample, look, REFERENCE)], look).contiguous()
    except (OSError, UnreadableError) as error:
        raise MicronetError(f"{path}: is not an image that can be read.") from error
