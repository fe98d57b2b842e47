"""Images in one folder, without classes: a list gives the label of each (``--labels``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micronet.errors import MicronetError
from micronet.evaluation.data.assemble import assemble, in_order
from micronet.evaluation.data.dataset import Dataset, Example
from micronet.evaluation.data.files import FileReader, count_of, named, stem_of
from micronet.evaluation.data.label_list import FORMATS, read_labels

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from micronet.evaluation.data.numbered_labels import Labels
    from micronet.evaluation.data.walk import Listing

KIND = "flat-folder"


def open_flat(root: Path, top: Listing, labels: Path | None, track: str | None) -> Dataset:
    """The images of ``top`` with the labels of the list; each image needs one, each one an image."""
    listed = labels_for(root, labels, track)
    examples = in_order(labelled(root, top.images, listed), root)
    reader = FileReader(str(root.absolute()), tuple(example.name for example in examples))
    notes = (*listed.notes, *_ignored(top), *top.notes())
    return assemble(KIND, root, listed.classes, examples, reader.read, notes=notes, track=track)


def labels_for(root: Path, labels: Path | None, track: str | None) -> Labels:
    """The list, or MicronetError if there is none."""
    if labels is None:
        raise MicronetError(f"{root}: holds images without class folders or labels.", FORMATS)
    return read_labels(labels, track)


def labelled(root: Path, images: Iterable[tuple[str, int]], listed: Labels) -> list[Example]:
    """Each image with its label; MicronetError unless list and images are about the same stems."""
    stems: dict[str, tuple[str, int]] = {}
    for name, size in images:
        if stems.setdefault(stem_of(name), (name, size)) != (name, size):
            both = named([name, stems[stem_of(name)][0]])
            raise MicronetError(
                f"{root}: two images of one name but for folder and suffix: {both}."
            )
    _check_same(root, set(stems), set(listed.by_key))
    return [Example(name, listed.by_key[stem], size) for stem, (name, size) in stems.items()]


def _check_same(root: Path, images: set[str], listed: set[str]) -> None:
    unlabelled, missing = images - listed, listed - images
    if unlabelled:
        raise MicronetError(
            f"{root}: {count_of(len(unlabelled), 'image')} without a label: {named(unlabelled)}.",
            f"The list labels {count_of(len(listed), 'image')}, the folder holds {len(images):,}.",
        )
    if missing:
        raise MicronetError(
            f"{root}: {count_of(len(missing), 'listed image')} not there: {named(missing)}.",
            "Get them, or for a part of the set give a list of that part.",
        )


def _ignored(top: Listing) -> tuple[str, ...]:
    folders = count_of(len(top.folders), "folder")
    return (f"Left out: {folders} beside the images: {named(top.folders)}.",) if top.folders else ()
