"""Trees of class folders, one a class: ImageNet's by WordNet ID, CIFAR's, anybody's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from micronet.evaluation.data.assemble import assemble, in_order
from micronet.evaluation.data.dataset import Dataset, Example
from micronet.evaluation.data.files import FileReader, count_of, named
from micronet.evaluation.data.flat import open_flat
from micronet.evaluation.data.folder_labels import label_folders
from micronet.evaluation.data.walk import Listing, list_trees

if TYPE_CHECKING:
    from pathlib import Path

KIND = "class-folders"


@dataclass(frozen=True)
class Labelled:
    """The images of class folders in order, the classes in label order, and what is told of them."""

    classes: tuple[str, ...]
    examples: tuple[Example, ...]
    notes: tuple[str, ...]


def open_class_folders(root: Path, top: Listing, track: str | None) -> Dataset:
    """The images of ``labelled_images``; where all lie loose, those of a flat folder."""
    found = labelled_images(root, top, track)
    if found is None:
        return open_flat(root, top, None, track)
    names = tuple(example.name for example in found.examples)
    reader = FileReader(str(root.absolute()), names)
    return assemble(
        *(KIND, root, found.classes, found.examples, reader.read), notes=found.notes, track=track
    )


def labelled_images(root: Path, top: Listing, track: str | None) -> Labelled | None:
    """The images under the folders that ``top`` lists, at any depth; a folder's name is the class.

    A folder without images keeps its place among the classes, as it does in torchvision. None if
    all images lie outside of them.
    """
    labelling = label_folders(str(root), top.folders, track)
    found = list_trees(root, top.folders)
    if top.images and not found.images:
        return None
    found.others += top.others
    found.tars += top.tars
    examples = in_order(
        (
            Example(name, labelling.labels[name.partition("/")[0]], size)
            for name, size in found.images
        ),
        root,
    )
    notes = (*labelling.notes, *_left_out(top, found), *found.notes())
    return Labelled(labelling.classes, examples, notes)


def _left_out(top: Listing, found: Listing) -> tuple[str, ...]:
    told = []
    if top.images:
        loose = count_of(len(top.images), "image")
        told.append(
            f"Left out: {loose} outside the class folders: {named(n for n, _ in top.images)}."
        )
    filled = {name.partition("/")[0] for name, _ in found.images}
    empty = [name for name in top.folders if name not in filled]
    if empty:
        told.append(f"{count_of(len(empty), 'class folder')} without images: {named(empty)}.")
    return tuple(told)
