"""CIFAR-10 and CIFAR-100 as their authors publish them and torchvision keeps them; the test split.

Source of the layouts: https://www.cs.toronto.edu/~kriz/cifar.html. A row of pixels is 1,024 bytes
of red, then of green, then of blue, each in reading order.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from micronet.errors import MicronetError
from micronet.evaluation.data.assemble import assemble, in_order
from micronet.evaluation.data.cifar_pickle import decode_pickle
from micronet.evaluation.data.classes import CIFAR10, CIFAR100, class_list
from micronet.evaluation.data.dataset import Dataset, Example
from micronet.evaluation.data.files import read_whole
from micronet.evaluation.data.recognise import TITLES

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

MAX_TEST_BYTES: Final = 64 * 2**20
SIDE: Final = 32
PLANE_BYTES: Final = SIDE * SIDE
ROW_BYTES: Final = 3 * PLANE_BYTES


@dataclass(frozen=True)
class Variant:
    """One published layout: where its test split lies, and what tells that it is this one.

    ``label_bytes`` stand before each row of a binary file, the label last; 0 for a pickle.
    """

    folder: str
    file: str
    beside: str
    classes: str
    label_bytes: int = 0
    md5: str = ""

    @property
    def kind(self) -> str:
        """The word for it in ``Dataset.kind``."""
        return f"{self.classes}-{'binary' if self.label_bytes else 'python'}"


# md5 of the unpacked files: torchvision.datasets.CIFAR10.test_list and CIFAR100.test_list.
VARIANTS: Final = (
    Variant(
        *("cifar-10-batches-py", "test_batch", "batches.meta", CIFAR10),
        md5="40351d587109b95175f43aff81a1287e",
    ),
    Variant(
        *("cifar-100-python", "test", "meta", CIFAR100), md5="f0ef6b0ae62326f3e7ffdfab6717acfc"
    ),
    Variant("cifar-10-batches-bin", "test_batch.bin", "batches.meta.txt", CIFAR10, label_bytes=1),
    Variant("cifar-100-binary", "test.bin", "fine_label_names.txt", CIFAR100, label_bytes=2),
)


@dataclass(frozen=True)
class PixelReader:
    """Image i of rows of bare pixels."""

    pixels: bytes

    def read(self, index: int) -> Image:
        """The image, 32×32, RGB."""
        from PIL import Image

        starts = range(index * ROW_BYTES, (index + 1) * ROW_BYTES, PLANE_BYTES)
        planes = [self.pixels[start : start + PLANE_BYTES] for start in starts]
        return Image.merge("RGB", [Image.frombytes("L", (SIDE, SIDE), plane) for plane in planes])


def find_cifar(path: Path, track: str | None) -> tuple[Variant, Path] | None:
    """The layout and its folder if ``path`` is one or holds one; of both sets, the track's."""
    found = [
        (variant, place)
        for variant in VARIANTS
        for place in (path, path / variant.folder)
        if _has(place, variant.file)
        and (place.name == variant.folder or _has(place, variant.beside))
    ]
    chosen = [one for one in found if one[0].classes == track] or found
    places = {variant.classes: place for variant, place in chosen}
    if len(places) > 1:
        either = " or ".join(str(place) for place in places.values())
        raise MicronetError(f"{path}: holds CIFAR-10 and CIFAR-100.", f"Give {either}.")
    return chosen[0] if chosen else None


def _has(folder: Path, name: str) -> bool:
    return os.path.isfile(folder / name)  # noqa: PTH113 - Path raises where it may not look


def open_cifar(variant: Variant, place: Path, track: str | None) -> Dataset:
    """The test split; its pixels are kept in memory (30 MB) and count for the fingerprint."""
    path = place / variant.file
    content = read_whole(path, MAX_TEST_BYTES)
    labels, pixels = decode_rows(variant, path, content)
    examples = [Example(f"test/{index:05d}", label, 0) for index, label in enumerate(labels)]
    return assemble(
        variant.kind,
        place,
        class_list(variant.classes),
        in_order(examples, path),
        PixelReader(pixels).read,
        track=track,
        pixels=pixels,
        recognised=_official(variant, content),
    )


def decode_rows(
    variant: Variant, path: Path, content: bytes, split: str = "test"
) -> tuple[list[int], bytes]:
    """The labels and the rows of pixels in a file of ``split``; MicronetError if it is no such file."""
    if variant.label_bytes:
        labels, pixels = _decode_binary(path, content, variant.label_bytes)
    else:
        key = "labels" if variant.classes == CIFAR10 else "fine_labels"
        labels, pixels = decode_pickle(path, content, key, ROW_BYTES, split)
    most = len(class_list(variant.classes)) - 1
    wrong = [label for label in labels if not 0 <= label <= most]
    if wrong:
        raise MicronetError(f"{path}: label {wrong[0]}, expected 0 to {most}.")
    return labels, pixels


def _official(variant: Variant, content: bytes) -> tuple[str, str] | None:
    """Split and words if the file is the published one, byte by byte."""
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != variant.md5:
        return None
    words = f"{TITLES[variant.classes]} test set, complete: the published file (md5 {variant.md5})"
    return f"{variant.classes}-test", words


def _decode_binary(path: Path, content: bytes, label_bytes: int) -> tuple[list[int], bytes]:
    record = label_bytes + ROW_BYTES
    if not content or len(content) % record:
        raise MicronetError(
            f"{path}: {len(content):,} bytes, expected a multiple of {record:,}.",
            "The file is cut short or another one: get it again.",
        )
    starts = range(0, len(content), record)
    labels = list(content[label_bytes - 1 :: record])
    return labels, b"".join(content[at + label_bytes : at + record] for at in starts)
