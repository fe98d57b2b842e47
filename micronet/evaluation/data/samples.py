"""Tar shards in webdataset's layout: the members of one sample share the name up to the first dot.

KEY.jpg (or another image) is the image and KEY.cls its label, a number; without one KEY.json may
have it as "label". Source: https://github.com/webdataset/webdataset, "The WebDataset Format".
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from micronet.errors import MicronetError
from micronet.evaluation.data.files import IMAGE_SUFFIXES, count_of, named, shown
from micronet.evaluation.data.label_list import MAX_DIGITS, is_number
from micronet.evaluation.data.numbered_labels import labels_of_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from micronet.evaluation.data.tar_members import Member

MAX_CLS_BYTES: Final = 64
MAX_JSON_BYTES: Final = 2**20
Key = tuple[str, str]  # the archive, and the sample's name in it


@dataclass(frozen=True)
class Found:
    """Images in archives as (name, label, member), and the classes in label order."""

    items: list[tuple[str, int, Member]]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass
class _Samples:
    images: dict[Key, list[Member]] = field(default_factory=dict)
    cls: dict[Key, Member] = field(default_factory=dict)
    json: dict[Key, Member] = field(default_factory=dict)


def read_samples(
    root: Path, members: Iterable[Member], track: str | None, *, several: bool
) -> Found | None:
    """The labelled samples, or None if no image has a label in the archive.

    Names begin with their shard's if there are ``several``, for keys may begin anew in each.
    MicronetError if an image has no label, a sample two images, or a label is not a number.
    """
    samples = _grouped(members)
    labels = {key: _label(root, key, samples) for key in samples.images}
    if all(label is None for label in labels.values()):
        return None
    _check(root, samples, [key for key, label in labels.items() if label is None])
    items = [
        (f"{_file(key)}/{image.name}" if several else image.name, label, image)
        for key, label in labels.items()
        for image in samples.images[key]
        if label is not None
    ]
    numbers = labels_of_numbers(str(root), {name: label for name, label, _ in items}, track)
    return Found(items, numbers.classes, (*numbers.notes, *_without_image(samples)))


def _grouped(members: Iterable[Member]) -> _Samples:
    samples = _Samples()
    for member in members:
        folder, slash, last = member.name.rpartition("/")
        stem, _, suffix = last.partition(".")
        key, suffix = (member.path, folder + slash + stem), suffix.lower()
        if f".{suffix}" in IMAGE_SUFFIXES:
            samples.images.setdefault(key, []).append(member)
        elif suffix == "cls":
            samples.cls[key] = member
        elif suffix == "json":
            samples.json[key] = member
    return samples


def _check(root: Path, samples: _Samples, unlabelled: Sequence[Key]) -> None:
    if unlabelled:
        missing = named(name for _, name in unlabelled)
        raise MicronetError(
            f"{root}: {count_of(len(unlabelled), 'image')} without a label: {missing}.",
            "A sample is KEY.jpg with KEY.cls, or with KEY.json that has a 'label'.",
        )
    several = [name for (_, name), images in samples.images.items() if len(images) > 1]
    if several:
        raise MicronetError(
            f"{root}: {count_of(len(several), 'sample')} with more than one image: {named(several)}.",
            "Which is meant cannot be known.",
        )


def _without_image(samples: _Samples) -> tuple[str, ...]:
    alone = [name for _, name in samples.cls.keys() - samples.images.keys()]
    return (
        (f"Left out: {count_of(len(alone), 'label')} without image: {named(alone)}.",)
        if alone
        else ()
    )


def _label(root: Path, key: Key, samples: _Samples) -> int | None:
    if key in samples.cls:
        member = samples.cls[key]
        text = _content(root, member, MAX_CLS_BYTES).decode("ascii", "replace").strip()
        if not is_number(text):
            raise _no_label(root, member, text)
        return int(text)
    if key in samples.json:
        return _json_label(root, samples.json[key])
    return None


def _json_label(root: Path, member: Member) -> int | None:
    """The whole number under "label", or None if there is no such entry."""
    content = _content(root, member, MAX_JSON_BYTES)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise MicronetError(f"{root}: {shown(member.name)} is not JSON.") from error
    label = document.get("label") if isinstance(document, dict) else None
    if label is not None and (type(label) is not int or not 0 <= label < 10**MAX_DIGITS):
        raise _no_label(root, member, str(label))
    return label


def _no_label(root: Path, member: Member, text: str) -> MicronetError:
    return MicronetError(
        f"{root}: {shown(member.name)} in {_file((member.path, ''))}:"
        f" expected a class index from 0 on, found '{shown(text)}'."
    )


def _content(root: Path, member: Member, limit_bytes: int) -> bytes:
    if member.size > limit_bytes:
        raise MicronetError(
            f"{root}: {shown(member.name)} has {member.size:,} bytes, expected {limit_bytes:,} at most."
        )
    try:
        return member.read()
    except OSError as error:
        raise MicronetError(f"{member.path}: cannot be read: {error.strerror}.") from error


def _file(key: Key) -> str:
    return key[0].replace("\\", "/").rpartition("/")[2]
