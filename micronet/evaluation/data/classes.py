"""The classes of the public data sets, in label order; the lists are data, in ``scoring/classes``."""

from __future__ import annotations

import re
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from micronet.errors import MicronetError
from micronet.shelf import folder

if TYPE_CHECKING:
    from collections.abc import Mapping

IMAGENET: Final = "imagenet"
CIFAR100: Final = "cifar100"
CIFAR10: Final = "cifar10"
IMAGE_TRACKS: Final = (IMAGENET, CIFAR100)
_OF_IMAGES: Final = (*IMAGE_TRACKS, CIFAR10)
WNID: Final = re.compile(r"n[0-9]{8}")
WNID_CHARACTERS: Final = 9
MAX_CLASSES: Final = 100_000


@cache
def class_list(name: str) -> tuple[str, ...]:
    """The classes of "imagenet" ("n01440764 tench", …), "cifar100" or "cifar10"; label 0 first."""
    text = (folder("scoring") / "classes" / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


@cache
def wnid_labels() -> Mapping[str, int]:
    """The label, 0 to 999, of each of ImageNet's 1,000 WordNet IDs."""
    rows = enumerate(class_list(IMAGENET))
    return MappingProxyType({row[:WNID_CHARACTERS]: label for label, row in rows})


def track_classes(track: str | None) -> tuple[str, ...] | None:
    """The classes of a track of images, or of "cifar10"; None without. MicronetError for another."""
    if track is None:
        return None
    if track not in _OF_IMAGES:
        raise MicronetError(
            f"Track '{track}' is not judged on images.",
            f"Tracks that are: {', '.join(IMAGE_TRACKS)}.",
        )
    return class_list(track)


def numbered(count: int) -> tuple[str, ...]:
    """The names "0", "1", … of classes that are known by number only, at most MAX_CLASSES."""
    if count > MAX_CLASSES:
        raise MicronetError(
            f"A label of {count - 1:,}; more than {MAX_CLASSES:,} classes are refused."
        )
    return tuple(str(label) for label in range(count))
