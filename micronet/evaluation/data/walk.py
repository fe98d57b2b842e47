"""List the images of a folder tree as torchvision does, links followed, loops and clutter not."""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from micronet.errors import MicronetError
from micronet.evaluation.data.files import (
    count_of,
    is_hidden,
    is_image,
    is_tar,
    named,
    shown,
    suffix_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_ENTRIES: Final = 5_000_000
MAX_DEPTH: Final = 32
_KINDS_SHOWN: Final = 4

Identity = tuple[int, int]  # device and inode: one folder, by whatever link it is reached


@dataclass
class Listing:
    """What was found; ``images`` are (name, bytes), names relative to the root, with "/"."""

    images: list[tuple[str, int]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    tars: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    loops: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    entries: int = 0

    def notes(self) -> tuple[str, ...]:
        """What is left out, and what is counted though it cannot be read."""
        told = []
        others = self.others + Counter(suffix_of(name) for name in self.tars)
        if others:
            kinds = ", ".join(shown(kind) for kind in sorted(others)[:_KINDS_SHOWN])
            left_out = count_of(others.total(), "file")
            told.append(f"Left out: {left_out} without an image's suffix ({kinds}).")
        if self.loops:
            told.append(f"Left out: folders that link back to themselves: {named(self.loops)}.")
        if self.broken:
            links = count_of(len(self.broken), "broken link")
            told.append(
                f"{links} under an image's name, counted as unreadable: {named(self.broken)}."
            )
        return tuple(told)


def list_top(root: Path) -> Listing:
    """What lies in the folder itself; its folders are named, not entered."""
    found = Listing()
    _list_folder(str(root), "", found)
    return found


def list_trees(root: Path, tops: Iterable[str]) -> Listing:
    """All images under the folders ``tops`` of ``root``, at any depth.

    A folder that links to one it lies in is not entered again. MicronetError if a folder cannot be
    read, and beyond MAX_ENTRIES or MAX_DEPTH.
    """
    found = Listing()
    waiting: list[tuple[str, tuple[Identity, ...]]] = [
        (top, (_identity(str(root)),)) for top in tops
    ]
    while waiting:
        name, above = waiting.pop()
        place = f"{root}/{name}"
        own = _identity(place)
        if own in above:
            found.loops.append(name)
            continue
        if len(above) > MAX_DEPTH:
            raise MicronetError(f"{shown(place)}: folders deeper than {MAX_DEPTH} are refused.")
        found.folders = []
        _list_folder(place, f"{name}/", found)
        waiting += [(inner, (*above, own)) for inner in found.folders]
    return found


def _identity(place: str) -> Identity:
    try:
        found = os.stat(place)  # noqa: PTH116 - thousands of names, no paths
    except OSError as error:
        raise MicronetError(f"{shown(place)}: cannot be read: {error.strerror}.") from error
    return found.st_dev, found.st_ino


def _list_folder(place: str, prefix: str, found: Listing) -> None:
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                found.entries += 1
                if not is_hidden(entry.name):
                    _add(entry, prefix + entry.name, found)
    except OSError as error:
        raise MicronetError(f"{shown(place)}: cannot be read: {error.strerror}.") from error
    if found.entries > MAX_ENTRIES:
        raise MicronetError(f"{shown(place)}: more than {MAX_ENTRIES:,} files are refused.")


def _add(entry: os.DirEntry[str], name: str, found: Listing) -> None:
    if _is_folder(entry):
        found.folders.append(name)
    elif is_image(entry.name):
        _add_image(entry, name, found)
    elif is_tar(entry.name):
        found.tars.append(name)
    else:
        found.others[suffix_of(entry.name) or "no suffix"] += 1


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _add_image(entry: os.DirEntry[str], name: str, found: Listing) -> None:
    """A link that leads nowhere is an image too: leaving it out would flatter the accuracy."""
    try:
        status = entry.stat()
    except OSError:
        found.broken.append(name)
        found.images.append((name, 0))
        return
    if stat.S_ISREG(status.st_mode):
        found.images.append((name, status.st_size))
    else:
        found.others[f"{suffix_of(entry.name)} that is no regular file"] += 1
