"""ImageNet-ReaL: the reassessed labels, of which an image may have several, or none.

Source: Beyer, Hénaff, Kolesnikov, Zhai, van den Oord, "Are we done with ImageNet?", 2020,
https://arxiv.org/abs/2006.07159. Its ``real.json`` is a list of 50,000 lists of classes, in the
order of the numbers of ILSVRC2012_val_00000001 to 00050000; {"name": [classes], …} is read as well.
An answer is right if it is among the labels; images without any are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from micronet.errors import MicronetError
from micronet.evaluation.bounded import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from micronet.evaluation.prediction import Prediction

Labels = tuple[int, ...]

MAX_FILE_BYTES: Final = 2**26
MAX_CLASSES_OF_ONE: Final = 1000
IMAGES: Final = 50_000
_NUMBERED: Final = re.compile(r"ILSVRC2012_val_[0-9]{8}(?![0-9])")


def real_labels(path: Path, names: Sequence[str], *, classes: int) -> tuple[Labels, ...]:
    """The ReaL labels of each of the images called ``names``, sorted, from the file ``path``.

    A name counts without its folders where it is not in the file with them. MicronetError if the
    file is not as above, has a label outside 0 … classes - 1, or lacks an image.
    """
    raw = read_json(path, MAX_FILE_BYTES)
    found = _by_number(path, raw) if isinstance(raw, list) else _by_name(path, raw)
    missing = [name for name in names if _of(found, name) is None]
    if missing:
        raise MicronetError(
            f"{path}: no ReaL labels for {len(missing):,} of {len(names):,} images,"
            f" {missing[0][:60]!r} the first.",
            'ReaL labels belong to ImageNet\'s ILSVRC2012_val_…; or give {"name": [classes], …}.',
        )
    return tuple(_checked(path, name, _of(found, name), classes) for name in names)


def score(predictions: Iterable[Prediction], real: Iterable[Labels]) -> tuple[int, int]:
    """(right answers, images that have any ReaL label)."""
    judged = [
        bool(set(prediction.top[:1]) & set(labels))
        for prediction, labels in zip(predictions, real, strict=True)
        if labels
    ]
    return sum(judged), len(judged)


def _by_number(path: Path, raw: list[Any]) -> dict[str, Any]:
    if len(raw) != IMAGES:
        raise MicronetError(
            f"{path}: a list of {len(raw):,}, expected the {IMAGES:,} of ImageNet-ReaL.",
            "The file is real.json of https://github.com/google-research/reassessed-imagenet",
        )
    return {f"ILSVRC2012_val_{number:08d}": labels for number, labels in enumerate(raw, start=1)}


def _by_name(path: Path, raw: object) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise MicronetError(f"{path}: a {type(raw).__name__}, expected a list or names with lists.")
    return raw


def _of(found: Mapping[str, Any], name: str) -> Any:
    """What the file has for an image: by its name, its file's name, or its number."""
    base = PurePosixPath(name).name
    numbered = _NUMBERED.match(base)
    for key in (name, base, numbered.group() if numbered else base):
        if key in found:
            return found[key]
    return None


def _checked(path: Path, name: str, labels: object, classes: int) -> Labels:
    if isinstance(labels, list) and len(labels) <= MAX_CLASSES_OF_ONE:
        whole = [each for each in labels if type(each) is int and 0 <= each < classes]
        if len(whole) == len(labels):
            return tuple(sorted(set(whole)))
    raise MicronetError(
        f"{path}: the labels of {name[:60]!r} are {str(labels)[:60]},"
        f" expected a list of classes from 0 to {classes - 1}."
    )
