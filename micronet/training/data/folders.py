"""One split as class folders: listed and labelled as an evaluation does it, then opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from micronet.errors import MicronetError
from micronet.evaluation.data.class_folders import labelled_images
from micronet.evaluation.data.files import FileReader
from micronet.evaluation.data.walk import list_top
from micronet.evaluation.preprocessing import SMALL_PIXELS
from micronet.training.data.hold import MAX_HELD_BYTES, hold
from micronet.training.data.images import Source, images_by_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from micronet.evaluation.data.dataset import Example
    from micronet.training.data.images import Images


@dataclass(frozen=True)
class Split:
    """The images of a folder of class folders, none of them read yet."""

    root: Path
    classes: tuple[str, ...]
    examples: tuple[Example, ...]
    notes: tuple[str, ...]


def list_split(root: Path) -> Split:
    """The images under ``root``; MicronetError if there are none in class folders."""
    found = labelled_images(root, list_top(root), None)
    if found is None:
        raise MicronetError(
            f"{root}: holds no class folders with images.",
            "Expected a folder for each class, with its images; sort them into such, or move this"
            " folder away.",
        )
    return Split(root, found.classes, found.examples, found.notes)


def open_split(split: Split, size: int, progress: Callable[[int], None]) -> Images:
    """The images, held in memory if they are small for a small network and there is room."""
    names = tuple(example.name for example in split.examples)
    reader = FileReader(str(split.root.absolute()), names)
    source = Source(_name(split.root), names, reader.read)
    if size <= SMALL_PIXELS and 3 * size * size * len(names) <= MAX_HELD_BYTES:
        height, width, _ = source.view(0).shape
        if max(height, width) <= SMALL_PIXELS:
            return hold(split.root, source, split.examples, size, progress)
    return images_by_file(source, split.examples)


def _name(root: Path) -> str:
    """As messages and receipts call it: "cifar10/train"."""
    path = root.absolute()
    return f"{path.parent.name}/{path.name}"
