"""From labelled names to a ``Dataset``: the order, the fingerprint, the recognition, the checks."""

from __future__ import annotations

import hashlib
import itertools
import re
from typing import TYPE_CHECKING, Final

from micronet.errors import MicronetError
from micronet.evaluation.data.classes import track_classes
from micronet.evaluation.data.dataset import Dataset, Example
from micronet.evaluation.data.files import count_of, name_bytes, named
from micronet.evaluation.data.pixel_digest import DIGESTS, pixel_digest
from micronet.evaluation.data.recognise import recognise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from PIL.Image import Image

_SPLIT_FOLDERS: Final = frozenset({"val", "validation", "test", "images", "data"})


def in_order(examples: Iterable[Example], place: Path) -> tuple[Example, ...]:
    """Examples by the bytes of their names; MicronetError if there is none or a name is twice."""
    ordered = tuple(sorted(examples, key=lambda example: name_bytes(example.name)))
    if not ordered:
        raise MicronetError(
            f"{place}: holds no images.",
            "Expected files that end in .JPEG, .jpg, .png, .webp, .bmp, .tif, .ppm or .pgm.",
        )
    pairs = itertools.pairwise(ordered)
    twice = {one.name for one, other in pairs if one.name == other.name}
    if twice:
        raise MicronetError(f"{place}: {count_of(len(twice), 'name')} twice: {named(twice)}.")
    return ordered


def assemble(
    kind: str,
    root: Path,
    classes: tuple[str, ...],
    examples: tuple[Example, ...],
    read: Callable[[int], bytes | Image],
    *,
    notes: Sequence[str] = (),
    track: str | None = None,
    recognised: tuple[str, str] | None = None,
    pixels: bytes = b"",
) -> Dataset:
    """The data set of examples that are ``in_order``.

    ``recognised`` is split and words where something stronger than names and counts knows them;
    ``pixels`` are bare pixels, which the fingerprint then covers too. MicronetError if ``track``
    has another number of classes.
    """
    _check_track(root, classes, track)
    split, words = recognised or _recognised(examples, classes, read)
    return Dataset(
        name=split or _name_of(root),
        kind=kind,
        root=root,
        classes=classes,
        examples=examples,
        read=read,
        fingerprint=fingerprint_of(examples, pixels),
        split=split,
        recognised=words,
        notes=tuple(notes),
    )


def _recognised(
    examples: tuple[Example, ...], classes: tuple[str, ...], read: Callable[[int], bytes | Image]
) -> tuple[str | None, str]:
    """Split and words: by names and counts, and where the images are small by their pixels too."""
    split, words = recognise(examples, classes)
    if split is None or split not in DIGESTS:
        return split, words
    if pixel_digest(examples, read) == DIGESTS[split]:
        return split, f"{words}, and pixel by pixel"
    return None, f"{words}, but not by its pixels and labels"


def _check_track(root: Path, classes: tuple[str, ...], track: str | None) -> None:
    expected = track_classes(track)
    if expected is not None and len(expected) != len(classes):
        found = count_of(len(classes), "class")
        raise MicronetError(
            f"{root}: {found}, but {track} has {len(expected):,}.",
            "Give that data set, or leave --track out.",
        )


def fingerprint_of(examples: Iterable[Example], pixels: bytes | memoryview) -> str:
    """The sha256 of label, size, length of the name and name of each example, then of pixels."""
    digest = hashlib.sha256()
    for example in examples:
        name = name_bytes(example.name)
        digest.update(b"%d %d %d " % (example.label, example.size_bytes, len(name)) + name)
    digest.update(pixels)
    return digest.hexdigest()


def _name_of(root: Path) -> str:
    """A name for files that tell of this data set: its folder's, with the parent's for "val"."""
    path = root.absolute().resolve()
    own = path.stem if path.is_file() else path.name
    parts = [path.parent.name, own] if own in _SPLIT_FOLDERS else [own]
    name = "-".join(re.sub(r"[^A-Za-z0-9._-]+", "-", part).strip("-.") for part in parts)
    return name.strip("-.") or "data"
