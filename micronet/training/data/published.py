"""CIFAR-10 and CIFAR-100 as published, training batches and test split; layouts in ``cifar``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from micronet.errors import MicronetError
from micronet.evaluation.data.cifar import SIDE, Variant, decode_rows
from micronet.evaluation.data.classes import CIFAR10, class_list
from micronet.evaluation.data.files import read_whole
from micronet.evaluation.preprocessing import SMALL_PIXELS
from micronet.training.data.images import Images, held_images

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAX_FILE_BYTES: Final = 256 * 2**20  # CIFAR-100's training split is one file of 154 MB


def open_published(
    variant: Variant, place: Path, size: int
) -> tuple[Images, Images, tuple[str, ...]]:
    """Training images, test images and classes; the pixels of all are held in memory."""
    if size <= SMALL_PIXELS and size != SIDE:
        raise MicronetError(
            f"{place}: images of {SIDE}×{SIDE} pixels, but the network takes {size}×{size}.",
            f"Give images of that size, or a network that takes {SIDE}×{SIDE}.",
        )
    train = _open(variant, place, "train", _training_files(variant))
    test = _open(variant, place, "test", [variant.file])
    return train, test, class_list(variant.classes)


def _training_files(variant: Variant) -> list[str]:
    """Beside "test_batch.bin" lie "data_batch_1.bin" to 5, beside "test.bin" lies "train.bin"."""
    end = ".bin" if variant.label_bytes else ""
    if variant.classes == CIFAR10:
        return [f"data_batch_{number}{end}" for number in range(1, 6)]
    return [f"train{end}"]


def _open(variant: Variant, place: Path, split: str, files: Sequence[str]) -> Images:
    labels: list[int] = []
    rows = []
    for file in files:
        content = read_whole(place / file, MAX_FILE_BYTES)
        some, pixels = decode_rows(variant, place / file, content, split)
        labels += some
        rows.append(np.frombuffer(pixels, np.uint8))
    if not labels:
        raise MicronetError(f"{place}: its {split} split holds no images.")
    held = torch.from_numpy(np.concatenate(rows).reshape(-1, 3, SIDE, SIDE))
    names = [f"{split}/{index:05d}" for index in range(len(labels))]
    return held_images(f"{variant.classes}/{split}", labels, held, names)
