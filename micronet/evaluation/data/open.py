"""Open a data set as people have it: look what lies there, then leave it to that kind's module."""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import TYPE_CHECKING

from micronet.errors import MicronetError
from micronet.evaluation.data.cifar import find_cifar, open_cifar
from micronet.evaluation.data.class_folders import open_class_folders
from micronet.evaluation.data.classes import wnid_labels
from micronet.evaluation.data.files import count_of, named
from micronet.evaluation.data.flat import open_flat
from micronet.evaluation.data.splits import split_folder
from micronet.evaluation.data.tar_shards import open_tars
from micronet.evaluation.data.walk import list_top

if TYPE_CHECKING:
    from pathlib import Path

    from micronet.evaluation.data.dataset import Dataset


def open_dataset(path: Path, *, labels: Path | None = None, track: str | None = None) -> Dataset:
    """Class folders, a flat folder with its list of ``labels``, CIFAR as published, or tar files.

    A folder that holds "val", "validation" or "test" stands for that. ``track`` ("imagenet",
    "cifar100", "cifar10") says which classes numbers are of, and must fit. No image is read. Raises
    MicronetError if it is none of these, contradicts itself or the track, or lacks labels.
    """
    try:
        folder = stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        raise MicronetError(
            f"{path}: cannot be read: {error.strerror}.",
            "Expected a folder of images or a .tar file.",
        ) from error
    if folder:
        return _open_folder(path, labels, track, inner=False)
    return open_tars(path, [path], labels, track)


def _open_folder(path: Path, labels: Path | None, track: str | None, *, inner: bool) -> Dataset:
    cifar = find_cifar(path, track)
    if cifar is not None:
        _refuse(labels, path, "is CIFAR as published, with its labels")
        return open_cifar(*cifar, track)
    top = list_top(path)
    split = None if inner else split_folder(str(path), top.folders)
    if split is not None:
        found = _open_folder(path / split, labels, track, inner=True)
        return replace(found, notes=(f"Taken: its folder '{split}'.", *found.notes))
    if top.images and (labels is not None or not top.folders):
        return open_flat(path, top, labels, track)
    if top.tars and not top.folders:
        return open_tars(path, [path / name for name in top.tars], labels, track)
    if top.tars and not any(name in wnid_labels() for name in top.folders):
        raise MicronetError(
            f"{path}: holds tar files and folders; which are the data cannot be known.",
            f"Give one of them, or move the others away: {named([*top.tars, *top.folders])}.",
        )
    if top.folders:
        _refuse(labels, path, f"has class folders ({count_of(len(top.folders), 'folder')})")
        return open_class_folders(path, top, track)
    raise MicronetError(
        f"{path}: holds no images.",
        "Expected class folders, images with --labels, CIFAR as published, or .tar files.",
    )


def _refuse(labels: Path | None, path: Path, what: str) -> None:
    if labels is not None:
        raise MicronetError(f"{path}: {what}; --labels {labels} is for images in one folder.")
