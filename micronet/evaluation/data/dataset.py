"""A labelled data set of images as the evaluator sees it, wherever the images lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Example:
    """One image: a unique ``name`` ("n01440764/x.JPEG", "test/00017") and its class.

    ``size_bytes`` is what its encoded file takes, 0 where the data set stores bare pixels.
    """

    name: str
    label: int
    size_bytes: int


@dataclass(frozen=True)
class Dataset:
    """Examples in a fixed order (that of their names), and the way to their bytes.

    ``read(i)`` gives example i as encoded bytes, or as an RGB image where bare pixels are stored;
    it may be called from many threads at once and raises OSError where the bytes cannot be read.
    ``classes`` names the classes in label order. ``split`` is the public data set that this is
    all of ("imagenet-val", "cifar100-test", "cifar10-test"), or None; ``recognised`` says in words
    what it was found to be ("ImageNet validation set, complete", "1,000 of …", "not a known set").
    ``fingerprint`` is a sha256 of names, sizes and labels, and of the pixels where they are bare.
    """

    name: str
    kind: str
    root: Path
    classes: tuple[str, ...]
    examples: tuple[Example, ...]
    read: Callable[[int], bytes | Image]
    fingerprint: str
    split: str | None
    recognised: str
    notes: tuple[str, ...] = ()
