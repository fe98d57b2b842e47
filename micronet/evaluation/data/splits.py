"""Roots that hold a data set's splits as folders: which of them is evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from micronet.errors import MicronetError
from micronet.evaluation.data.classes import wnid_labels

if TYPE_CHECKING:
    from collections.abc import Collection

EVALUATED: Final = ("val", "validation", "test")  # ImageNet's "test" has no labels, so "val" first
TRAINING: Final = ("train", "training")


def split_folder(place: str, folders: Collection[str]) -> str | None:
    """The one of ``folders`` to go into, or None if they are class folders already.

    MicronetError if there is nothing but training data.
    """
    if any(name in wnid_labels() for name in folders):
        return None
    for name in EVALUATED:
        if name in folders:
            return name
    if folders and set(folders).issubset(TRAINING):
        raise MicronetError(
            f"{place}: holds training data, and none of {', '.join(EVALUATED)}.",
            f"To evaluate on it give that folder itself: {place}/{min(folders)}",
        )
    return None
