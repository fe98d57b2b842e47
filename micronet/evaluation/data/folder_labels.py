"""Which class each folder of a tree of class folders stands for, decided by the folders' names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from micronet.errors import MicronetError
from micronet.evaluation.data.classes import (
    CIFAR10,
    CIFAR100,
    IMAGENET,
    WNID,
    class_list,
    numbered,
    track_classes,
    wnid_labels,
)
from micronet.evaluation.data.files import count_of, name_bytes, named

if TYPE_CHECKING:
    from collections.abc import Collection

_MAX_DIGITS: Final = 6


@dataclass(frozen=True)
class Labelling:
    """The classes in label order, and the label of each folder."""

    classes: tuple[str, ...]
    labels: dict[str, int]
    notes: tuple[str, ...] = ()


def label_folders(place: str, folders: Collection[str], track: str | None) -> Labelling:
    """Labels by WordNet ID, CIFAR name or number where all folders are such; else in name order.

    ``place`` names the tree in errors. MicronetError for WordNet IDs that ImageNet does not have,
    also if they are mixed with other names.
    """
    ordered = sorted(folders, key=name_bytes)
    for reading in (
        _by_wnid(place, ordered),
        _by_cifar(ordered, track),
        _by_number(ordered, track),
    ):
        if reading is not None:
            return reading
    return Labelling(tuple(ordered), {name: label for label, name in enumerate(ordered)})


def _by_wnid(place: str, folders: list[str]) -> Labelling | None:
    known = wnid_labels()
    foreign = [name for name in folders if WNID.fullmatch(name) is None]
    unknown = [name for name in folders if name not in known]
    if foreign and len(unknown) == len(folders):
        return None
    if unknown:
        raise MicronetError(
            f"{place}: {count_of(len(unknown), 'folder')} beside the {len(known):,} WordNet IDs of"
            f" ImageNet (ILSVRC2012): {named(unknown)}.",
            "Move away what is not of the data set; labels are known for these 1,000 IDs only.",
        )
    return Labelling(class_list(IMAGENET), {name: known[name] for name in folders})


def _by_cifar(folders: list[str], track: str | None) -> Labelling | None:
    """By CIFAR's names if all are there; a part of CIFAR-100 only if the track says that it is."""
    plain = {name: name.lower().replace(" ", "_").replace("-", "_") for name in folders}
    for known in (CIFAR10, CIFAR100):
        places = {name: label for label, name in enumerate(class_list(known))}
        found = set(plain.values())
        if found == places.keys() or (track == known and found < places.keys()):
            return Labelling(class_list(known), {name: places[plain[name]] for name in folders})
    return None


def _by_number(folders: list[str], track: str | None) -> Labelling | None:
    """Folders 0 to n - 1, with leading zeros or not: the number is the label."""
    if not all(name.isascii() and name.isdigit() and len(name) <= _MAX_DIGITS for name in folders):
        return None
    labels = {name: int(name) for name in folders}
    ordered = sorted(folders, key=int)
    classes = track_classes(track)
    whole = [labels[name] for name in ordered] == list(range(len(ordered)))  # of some data set
    if (
        classes is not None
        and whole == (len(ordered) == len(classes))
        and labels[ordered[-1]] < len(classes)
    ):
        return Labelling(classes, labels)
    if not whole:
        return None
    if ordered == folders:
        return Labelling(tuple(ordered), labels)
    told = "Folders are numbers: the number is the label, so '10' is class 10 and not class 2."
    return Labelling(numbered(len(ordered)), labels, (told,))
