"""Open what is to be learned: class folders with a "train" beside a "val" or "test", or CIFAR."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from micronet.errors import MicronetError
from micronet.evaluation.data.cifar import find_cifar
from micronet.evaluation.data.files import count_of, named
from micronet.evaluation.data.splits import EVALUATED, TRAINING
from micronet.evaluation.data.walk import list_top
from micronet.training.data.folders import Split, list_split, open_split
from micronet.training.data.published import open_published

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from micronet.training.data.images import Images

_EXPECTED: Final = "Expected a folder that holds 'train' with class folders, or CIFAR as published."


@dataclass(frozen=True)
class TrainingData:
    """What is learned from, and what tells how well: ``test`` is the split beside it, if any.

    ``classes`` in label order, the same as in an evaluation; ``notes`` say what was left out.
    """

    train: Images
    test: Images | None
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()


def open_training(
    path: Path, *, size: int, progress: Callable[[int, int], None] | None = None
) -> TrainingData:
    """A folder with "train" and perhaps "val" or "test", class folders alone, or CIFAR as published.

    ``size`` is the side in pixels of what enters the network. Where that and the images are small
    (64 at most), images must have it, and are decoded into memory: ``progress`` hears how many of
    how many are done. MicronetError if there is nothing to learn from or an image does not fit.
    """
    if not os.path.isdir(path):  # noqa: PTH112 - Path raises where it may not look
        raise MicronetError(f"{path}: is no folder that can be read.", _EXPECTED)
    cifar = find_cifar(path, None)
    if cifar is not None:
        variant, place = cifar
        train, test, classes = open_published(variant, place, size)
        return TrainingData(train, test, classes)
    splits = _splits(path)
    total = sum(len(split.examples) for split in splits)
    opened = []
    before = 0
    for split in splits:
        opened.append(open_split(split, size, _shifted(progress, before, total)))
        before += len(split.examples)
    notes = tuple(note for split in splits for note in split.notes)
    test_images = opened[1] if len(opened) > 1 else None
    return TrainingData(opened[0], test_images, splits[0].classes, notes)


def _shifted(
    progress: Callable[[int, int], None] | None, before: int, total: int
) -> Callable[[int], None]:
    def hear(done: int) -> None:
        if progress is not None:
            progress(before + done, total)

    return hear


def _splits(path: Path) -> list[Split]:
    """The training split, then the other one if there is one."""
    folders = list_top(path).folders
    training = next((name for name in TRAINING if name in folders), None)
    beside = next((name for name in EVALUATED if name in folders), None)
    if training is None and beside is not None:
        raise MicronetError(
            f"{path}: holds '{beside}' to evaluate on, and no 'train' to learn from.",
            f"To learn from that folder give it itself: {path}/{beside}",
        )
    if training is None or (beside is None and not list_top(path / training).folders):
        return [list_split(path)]  # class folders, of which one may be called "train"
    train = list_split(path / training)
    if beside is None:
        return [train]
    test = list_split(path / beside)
    _check_same(train, test)
    return [train, test]


def _check_same(train: Split, test: Split) -> None:
    if train.classes != test.classes:
        apart = named(set(train.classes) ^ set(test.classes))
        raise MicronetError(
            f"{test.root}: {count_of(len(test.classes), 'class')}, expected the"
            f" {len(train.classes):,} of {train.root}; in one of them only: {apart}.",
            "Give both the same class folders, also where one is empty.",
        )
