"""Whether a data set is all of a public one, a part of it, or neither; said in words."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from micronet.evaluation.data.classes import CIFAR10, CIFAR100, IMAGENET, class_list
from micronet.evaluation.data.files import count_of, stem_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from micronet.evaluation.data.dataset import Example

IMAGENET_VAL: Final = "imagenet-val"
VAL_IMAGES: Final = 50_000
_VAL_PER_CLASS: Final = 50
_VAL_STEM: Final = re.compile(r"ILSVRC2012_val_([0-9]{8})")
_CIFAR_IMAGES: Final = 10_000
TITLES: Final = {CIFAR100: "CIFAR-100", CIFAR10: "CIFAR-10"}


def val_stem(number: int) -> str:
    """The name of ImageNet's validation image ``number``, 1 to 50,000, without its suffix."""
    return f"ILSVRC2012_val_{number:08d}"


def val_number(name: str) -> int | None:
    """Which image of ImageNet's validation set a name is of, 1 to 50,000; None if of none."""
    found = _VAL_STEM.fullmatch(stem_of(name))
    number = int(found[1]) if found else 0
    return number if 1 <= number <= VAL_IMAGES else None


def recognise(examples: Sequence[Example], classes: tuple[str, ...]) -> tuple[str | None, str]:
    """The split ("imagenet-val", "cifar100-test", "cifar10-test") or None, and the words for it."""
    if classes == class_list(IMAGENET):
        return _imagenet(examples)
    for known, title in TITLES.items():
        names = class_list(known)
        if classes in (names, _two_digits(len(names))):
            return _cifar(examples, known, title, by_name=classes == names)
    return None, _unknown(examples, classes)


def _imagenet(examples: Sequence[Example]) -> tuple[str | None, str]:
    numbers = {val_number(example.name) for example in examples}
    if None in numbers or len(numbers) != len(examples):
        used = len({example.label for example in examples})
        images = count_of(len(examples), "image")
        return None, f"{images} in {used:,} of ImageNet's 1,000 classes, not its validation set"
    if len(numbers) < VAL_IMAGES:
        return None, f"{len(numbers):,} of the 50,000 images of the ImageNet validation set"
    if _even(examples, 1000, _VAL_PER_CLASS):
        return IMAGENET_VAL, "ImageNet validation set, complete: 50,000 names, 50 in each class"
    return None, "the 50,000 names of the ImageNet validation set, but not 50 in each class"


def _cifar(
    examples: Sequence[Example], known: str, title: str, *, by_name: bool
) -> tuple[str | None, str]:
    count = len(class_list(known))
    each = _CIFAR_IMAGES // count
    if _even(examples, count, each):
        return (
            f"{known}-test",
            f"{title} test set by its counts, {each:,} in each of {count} classes",
        )
    images = count_of(len(examples), "image")
    if by_name:
        return None, f"{images} in the classes of {title}, not its whole test set of 10,000"
    return None, f"not a known set: {images}, {count} numbered classes"


def _even(examples: Sequence[Example], classes: int, each: int) -> bool:
    counts = Counter(example.label for example in examples)
    return len(counts) == classes and set(counts.values()) == {each}


def _two_digits(count: int) -> tuple[str, ...]:
    return tuple(f"{label:02d}" for label in range(count))


def _unknown(examples: Sequence[Example], classes: tuple[str, ...]) -> str:
    return f"not a known set: {count_of(len(examples), 'image')}, {count_of(len(classes), 'class')}"
