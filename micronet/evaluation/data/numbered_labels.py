"""Labels that are bare numbers: which classes they are of, and whether they count from 0."""

from __future__ import annotations

from dataclasses import dataclass

from micronet.errors import MicronetError
from micronet.evaluation.data.classes import IMAGENET, class_list, numbered, track_classes
from micronet.evaluation.data.recognise import val_number


@dataclass(frozen=True)
class Labels:
    """A label for each key (the stem of an image's name), and the classes in label order."""

    by_key: dict[str, int]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()


def labels_of_numbers(place: str, by_key: dict[str, int], track: str | None) -> Labels:
    """ImageNet's classes if all keys are of its validation set, else the track's, else numbers.

    MicronetError for an index beyond the classes; nothing is shifted.
    """
    if all(val_number(key) is not None for key in by_key):
        return checked(place, by_key, class_list(IMAGENET))
    known = track_classes(track)
    if known is not None:
        return checked(place, by_key, known)
    count = max(by_key.values()) + 1
    notes = [f"Labels are numbers without names: {count:,} classes are taken, up to the highest."]
    if 0 not in by_key.values():
        notes.append("No image is of class 0; do the labels count from 1?")
    return Labels(by_key, numbered(count), tuple(notes))


def checked(place: str, by_key: dict[str, int], classes: tuple[str, ...]) -> Labels:
    """The labels, or MicronetError if one is beyond ``classes``."""
    low, high = min(by_key.values()), max(by_key.values())
    if high >= len(classes):
        from_1 = (low, high) == (1, len(classes))
        raise MicronetError(
            f"{place}: labels {low:,} to {high:,}, expected 0 to {len(classes) - 1:,}.",
            "They count from 1: subtract 1 from each." if from_1 else "It is of another data set.",
        )
    return Labels(by_key, classes)
