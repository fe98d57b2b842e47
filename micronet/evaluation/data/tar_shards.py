"""Images in tar files, read where they lie: webdataset shards, trees of class folders, flat tars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from micronet.errors import MicronetError
from micronet.evaluation.data.assemble import assemble, in_order
from micronet.evaluation.data.dataset import Dataset, Example
from micronet.evaluation.data.files import count_of, is_image, name_bytes, named
from micronet.evaluation.data.flat import labelled, labels_for
from micronet.evaluation.data.folder_labels import label_folders
from micronet.evaluation.data.samples import Found, read_samples
from micronet.evaluation.data.splits import split_folder
from micronet.evaluation.data.tar_members import Archive, Member, read_archive

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class MemberReader:
    """Example i is the bytes of member i."""

    members: tuple[Member, ...]

    def read(self, index: int) -> bytes:
        """The member's bytes; OSError if its archive cannot be read."""
        return self.members[index].read()


def open_tars(root: Path, paths: Sequence[Path], labels: Path | None, track: str | None) -> Dataset:
    """The images of the tar ``root`` itself, or of all the tars ``paths`` in the folder ``root``.

    With labels inside, an example is named KEY.jpg in one tar and SHARD.tar/KEY.jpg in a folder
    of tars; otherwise as in the folder that was packed.
    """
    ordered = sorted(paths, key=lambda path: name_bytes(path.name))
    archives = {path.name: read_archive(path) for path in ordered}
    members = [member for archive in archives.values() for member in archive.members]
    notes = [note for name, archive in archives.items() for note in _notes(name, archive)]
    found = read_samples(root, members, track, several=root not in paths)
    kind = "tar-shards"
    if found is not None and labels is not None:
        raise MicronetError(f"{root}: has labels of its own.", "Leave --labels out.")
    if found is None:
        images = [member for member in members if is_image(member.name)]
        notes += _others(len(members) - len(images))
        foldered = [member for member in images if "/" in member.name]
        if labels is None and foldered:
            notes += _loose([member.name for member in images if "/" not in member.name])
            kind, found = "tar-folders", _by_folder(root, foldered, track)
        else:
            kind, found = "tar-flat", _by_list(root, images, labels, track)
    return _dataset(kind, root, found, notes, track)


def _dataset(kind: str, root: Path, found: Found, notes: list[str], track: str | None) -> Dataset:
    examples = in_order((Example(name, label, m.size) for name, label, m in found.items), root)
    places = {name: member for name, _, member in found.items}
    reader = MemberReader(tuple(places[example.name] for example in examples))
    told = (*found.notes, *notes)
    return assemble(kind, root, found.classes, examples, reader.read, notes=told, track=track)


def _by_folder(root: Path, images: list[Member], track: str | None) -> Found:
    """As in the unpacked folder: below what all have in front, and in "val" if there is one."""
    front = _common_front([member.name for member in images])
    named_images = [(member.name[front:], member) for member in images]
    notes: tuple[str, ...] = ()
    split = split_folder(str(root), {name.partition("/")[0] for name, _ in named_images})
    if split is not None:
        start = f"{split}/"
        named_images = [(n[len(start) :], m) for n, m in named_images if n.startswith(start)]
        notes = (f"Taken: its folder '{split}'.",)
    folders = {name.partition("/")[0] for name, _ in named_images if "/" in name}
    if not folders:
        raise MicronetError(f"{root}: holds images without class folders.")
    labelling = label_folders(str(root), folders, track)
    items = [(n, labelling.labels[n.partition("/")[0]], m) for n, m in named_images if "/" in n]
    return Found(items, labelling.classes, (*labelling.notes, *notes))


def _common_front(names: list[str]) -> int:
    """How many characters of folders stand in front of every image's class folder."""
    front = 0
    while all(name.count("/", front) > 1 for name in names):
        folders = {name[front : name.index("/", front) + 1] for name in names}
        if len(folders) > 1:
            break
        front += len(folders.pop())
    return front


def _by_list(root: Path, images: list[Member], labels: Path | None, track: str | None) -> Found:
    listed = labels_for(root, labels, track)
    examples = labelled(root, [(member.name, member.size) for member in images], listed)
    places = {member.name: member for member in images}
    items = [(example.name, example.label, places[example.name]) for example in examples]
    return Found(items, listed.classes, listed.notes)


def _notes(name: str, archive: Archive) -> list[str]:
    told = []
    if archive.left_out:
        count = len(archive.left_out)
        told.append(f"Left out of {name}: links and devices, {count:,}: {named(archive.left_out)}.")
    if not archive.ended:
        told.append(f"{name} has no end mark; if it was cut short, images are missing.")
    return told


def _others(count: int) -> list[str]:
    return [f"Left out: {count_of(count, 'file')} without an image's suffix."] if count else []


def _loose(names: list[str]) -> list[str]:
    count = count_of(len(names), "image")
    return [f"Left out: {count} outside the class folders: {named(names)}."] if names else []
