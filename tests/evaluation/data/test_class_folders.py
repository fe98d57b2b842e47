"""Class folders: which class a folder is, which files count, and that order is everybody's."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from micronet.errors import MicronetError
from micronet.evaluation.data.classes import class_list, wnid_labels
from micronet.evaluation.data.open import open_dataset

if TYPE_CHECKING:
    from tests.evaluation.data.conftest import Plant

TENCH, GOLDFISH, TISSUE = "n01440764", "n01443537", "n15075141"


def test_wnids_are_labelled_by_their_place_among_all_1000(plant: Plant) -> None:
    """Tench is class 0, goldfish 1, toilet tissue 999, though only two folders are there."""
    found = open_dataset(plant({f"{TISSUE}/b.JPEG": b"12", f"{GOLDFISH}/a.jpg": b"1"}))
    assert [(e.name, e.label, e.size_bytes) for e in found.examples] == [
        (f"{GOLDFISH}/a.jpg", 1, 1),
        (f"{TISSUE}/b.JPEG", 999, 2),
    ]
    assert (found.kind, len(found.classes), found.split) == ("class-folders", 1000, None)
    assert found.classes[0] == "n01440764 tench"
    assert found.recognised == "2 images in 2 of ImageNet's 1,000 classes, not its validation set"
    assert found.read(1) == b"12"


def test_the_list_of_imagenet_is_sorted_and_complete() -> None:
    wnids = list(wnid_labels())
    assert len(wnids) == 1000
    assert wnids == sorted(wnids)
    assert len({row[10:] for row in class_list("imagenet")}) == 1000
    # Classes by their published index: 65 sea snake, 388 giant panda, 817 sports car.
    places = {wnid: wnids.index(wnid) for wnid in ("n01751748", "n02510455", "n04285008")}
    assert places == {"n01751748": 65, "n02510455": 388, "n04285008": 817}


def test_unknown_wnids_are_named_three_of_them(plant: Plant) -> None:
    foreign = [f"n0000000{digit}" for digit in range(5)]
    root = plant({f"{name}/a.jpg": b"" for name in (*foreign, TENCH)})
    with pytest.raises(MicronetError) as caught:
        open_dataset(root)
    assert caught.value.message == (
        f"{root}: 5 folders beside the 1,000 WordNet IDs of ImageNet (ILSVRC2012):"
        " n00000000, n00000001, n00000002 and 2 more."
    )


def test_other_folders_among_wnids_are_an_error_not_a_class(plant: Plant) -> None:
    root = plant({f"{TENCH}/a.jpg": b"", "misc/b.jpg": b""})
    with pytest.raises(MicronetError, match=r"1 folder beside the 1,000 WordNet IDs.*: misc\."):
        open_dataset(root)


def test_other_names_are_classes_in_their_order_as_in_torchvision(plant: Plant) -> None:
    """Capitals come first by their bytes; a folder without images keeps its place."""
    root = plant({"dog/a.png": b"1", "Zebra/b.png": b"2", "élan/c.png": b"3"})
    (root / "cat").mkdir()
    found = open_dataset(root)
    assert found.classes == ("Zebra", "cat", "dog", "élan")
    assert [(e.name, e.label) for e in found.examples] == [
        ("Zebra/b.png", 0),
        ("dog/a.png", 2),
        ("élan/c.png", 3),
    ]
    assert found.notes == ("1 class folder without images: cat.",)
    assert found.recognised == "not a known set: 3 images, 4 classes"
    assert found.name == "photos"


def test_labels_agree_with_torchvision(plant: Plant, jpeg: bytes) -> None:
    from torchvision.datasets import ImageFolder

    names = ["dog/a.png", "Zebra/x/y/b.PNG", "élan/c.webp", "dog/.JPEG.txt", "a b/1.TIFF"]
    root = plant(dict.fromkeys(names, jpeg))
    theirs = ImageFolder(str(root))
    ours = open_dataset(root)
    assert list(ours.classes) == theirs.classes
    pairs = {(os.path.relpath(path, root), label) for path, label in theirs.samples}
    assert {(example.name, example.label) for example in ours.examples} == pairs


@pytest.mark.parametrize("folder", ["val", "validation", "test"])
def test_a_root_stands_for_its_split(plant: Plant, folder: str) -> None:
    root = plant({f"{folder}/cat/a.png": b"", "train/cat/b.png": b"", "devkit/c.txt": b""})
    found = open_dataset(root)
    assert [example.name for example in found.examples] == ["cat/a.png"]
    assert (found.root, found.notes) == (root / folder, (f"Taken: its folder '{folder}'.",))
    assert found.name == f"photos-{folder}"
    assert found.fingerprint == open_dataset(root / folder).fingerprint


def test_val_comes_before_test_and_only_once(plant: Plant) -> None:
    root = plant({"val/val/a.png": b"", "val/test/b.png": b"", "test/cat/c.png": b""})
    assert open_dataset(root).classes == ("test", "val")


def test_beside_wnids_val_is_no_split(plant: Plant) -> None:
    """Going into it would leave out the class folders without a word."""
    root = plant({f"{TENCH}/a.jpg": b"", "val/b.jpg": b""})
    with pytest.raises(MicronetError, match=r"1 folder beside the 1,000 WordNet IDs.*: val\."):
        open_dataset(root)


def test_training_data_alone_are_not_taken_for_one_class(plant: Plant) -> None:
    root = plant({"train/cat/a.png": b""})
    with pytest.raises(MicronetError) as caught:
        open_dataset(root)
    assert str(caught.value) == (
        f"{root}: holds training data, and none of val, validation, test.\n"
        f"To evaluate on it give that folder itself: {root}/train"
    )


def test_clutter_is_left_out_and_counted(plant: Plant) -> None:
    """Hidden files and folders without a word, other files with their count."""
    names = ["cat/a.jpg", "cat/.DS_Store", "cat/._a.jpg", ".git/x.jpg", "__MACOSX/y.jpg"]
    root = plant(dict.fromkeys([*names, "cat/n.txt", "cat/Thumbs.db", "readme", "loose.png"], b""))
    found = open_dataset(root)
    assert [example.name for example in found.examples] == ["cat/a.jpg"]
    assert found.classes == ("cat",)
    assert found.notes == (
        "Left out: 1 image outside the class folders: loose.png.",
        "Left out: 3 files without an image's suffix (.db, .txt, no suffix).",
    )


def test_linked_folders_and_files_are_followed_and_loops_left(plant: Plant, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.jpg").write_bytes(b"there")
    root = plant({"cat/b.jpg": b"here"})
    (root / "dog").symlink_to(tmp_path / "elsewhere")
    (root / "cat" / "c.jpg").symlink_to(tmp_path / "elsewhere" / "a.jpg")
    (root / "cat" / "up").symlink_to(root)
    (root / "cat" / "self").symlink_to("self")
    found = open_dataset(root)
    assert [(e.name, e.size_bytes) for e in found.examples] == [
        ("cat/b.jpg", 4),
        ("cat/c.jpg", 5),
        ("dog/a.jpg", 5),
    ]
    assert found.read(2) == b"there"
    assert found.notes == (
        "Left out: 1 file without an image's suffix (no suffix).",
        "Left out: folders that link back to themselves: cat/up.",
    )


def test_a_broken_link_is_counted_as_an_image_that_cannot_be_read(plant: Plant) -> None:
    root = plant({"cat/a.jpg": b"1"})
    (root / "cat" / "b.jpg").symlink_to("gone")
    found = open_dataset(root)
    assert [(e.name, e.size_bytes) for e in found.examples] == [("cat/a.jpg", 1), ("cat/b.jpg", 0)]
    assert found.notes == (
        "1 broken link under an image's name, counted as unreadable: cat/b.jpg.",
    )
    with pytest.raises(FileNotFoundError):
        found.read(1)


def test_a_pipe_is_no_image_and_never_waited_for(plant: Plant) -> None:
    root = plant({"cat/a.jpg": b"1"})
    os.mkfifo(root / "cat" / "b.jpg")
    found = open_dataset(root)
    assert len(found.examples) == 1
    assert found.notes == (
        "Left out: 1 file without an image's suffix (.jpg that is no regular file).",
    )
    (root / "cat" / "a.jpg").unlink()
    os.mkfifo(root / "cat" / "a.jpg")
    with pytest.raises(OSError, match="is not a regular file"):
        found.read(0)


def test_a_file_too_large_is_refused_when_read_not_taken_into_memory(plant: Plant) -> None:
    root = plant({"cat/a.jpg": b"1"})
    os.truncate(root / "cat" / "a.jpg", 2**28 + 1)  # holes: it takes no space
    with pytest.raises(OSError, match="has 268,435,457 bytes; more than 268,435,456 are refused"):
        open_dataset(root).read(0)


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take UTF-8 names only")
def test_a_name_that_is_not_utf8_is_an_image_like_others(plant: Plant) -> None:
    root = plant({"cat/a.jpg": b"1"})
    raw = os.fsencode(root) + b"/cat/\xff\n.jpg"
    Path(os.fsdecode(raw)).write_bytes(b"2")
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9")).mkdir()
    found = open_dataset(root)
    assert [os.fsencode(e.name) for e in found.examples] == [b"cat/a.jpg", b"cat/\xff\n.jpg"]
    assert found.read(1) == b"2"
    assert len(found.fingerprint) == 64
    assert found.notes == ("1 class folder without images: caf\\xe9.",)


def test_numbered_folders_are_labelled_by_their_number_not_their_text(plant: Plant) -> None:
    """As text "10" comes before "2": ImageNetV2, kept so, would be mislabelled."""
    root = plant({f"{label}/a.png": b"" for label in range(12)})
    found = open_dataset(root)
    assert {e.name: e.label for e in found.examples} == {f"{n}/a.png": n for n in range(12)}
    assert found.classes == tuple(str(label) for label in range(12))
    told = "Folders are numbers: the number is the label, so '10' is class 10 and not class 2."
    assert found.notes == (told,)


def test_numbers_with_leading_zeros_keep_their_names(plant: Plant) -> None:
    found = open_dataset(plant({f"{label:02d}/a.png": b"" for label in range(12)}))
    assert [example.label for example in found.examples] == list(range(12))
    assert found.classes == tuple(f"{label:02d}" for label in range(12))
    assert found.notes == ()


def test_numbers_with_gaps_are_names_unless_the_track_knows_better(plant: Plant) -> None:
    root = plant({"05/a.png": b"", "17/b.png": b""})
    assert [e.label for e in open_dataset(root).examples] == [0, 1]
    by_track = open_dataset(root, track="cifar100")
    assert [e.label for e in by_track.examples] == [5, 17]
    assert by_track.classes[17] == "castle"
    words = "2 images in the classes of CIFAR-100, not its whole test set of 10,000"
    assert by_track.recognised == words


def test_all_of_another_data_set_is_not_a_part_of_the_tracks(plant: Plant) -> None:
    """Folders 00 to 99 are somebody's hundred classes, not the first hundred of ImageNet's."""
    root = plant({f"{label:02d}/a.png": b"" for label in range(100)})
    with pytest.raises(MicronetError, match="100 classes, but imagenet has 1,000"):
        open_dataset(root, track="imagenet")


def test_cifar_names_are_known_however_they_are_spelled(plant: Plant) -> None:
    names = [name.replace("_", " ").title() for name in class_list("cifar100")]
    root = plant({f"{name}/a.png": b"" for name in names})
    found = open_dataset(root)
    assert found.classes == class_list("cifar100")
    assert {e.name: e.label for e in found.examples}["Worm/a.png"] == 99
    assert {e.name: e.label for e in found.examples}["Lawn Mower/a.png"] == 41


def test_three_flowers_are_cifar_only_if_the_track_says_so(plant: Plant) -> None:
    """Rose, sunflower and tulip are classes 70, 82 and 92 of CIFAR-100, or three of somebody's."""
    root = plant({f"{name}/a.png": b"" for name in ("rose", "sunflower", "tulip")})
    assert [e.label for e in open_dataset(root).examples] == [0, 1, 2]
    assert [e.label for e in open_dataset(root, track="cifar100").examples] == [70, 82, 92]


def test_the_cifar_lists_are_in_label_order() -> None:
    for name, count in (("cifar10", 10), ("cifar100", 100)):
        names = class_list(name)
        assert len(set(names)) == count
        assert list(names) == sorted(names)


def test_the_fingerprint_knows_no_order_of_creation_nor_place(tmp_path: Path) -> None:
    names = [f"{c}/{n}.png" for c in ("ä", "b", "c d") for n in range(20)]
    prints = set()
    for seed in range(6):
        random.Random(seed).shuffle(names)  # noqa: S311 - a reproducible order
        root = tmp_path / str(seed) / "x" / f"root{seed}"
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(name.encode())
            os.utime(root / name, (seed, seed))
        prints.add(open_dataset(root).fingerprint)
    assert len(prints) == 1


def test_the_fingerprint_knows_names_sizes_and_labels(plant: Plant) -> None:
    root = plant({"a/1.png": b"1", "b/2.png": b"2"})
    prints = [open_dataset(root).fingerprint]
    (root / "a" / "1.png").write_bytes(b"11")  # another size
    prints.append(open_dataset(root).fingerprint)
    (root / "a" / "1.png").write_bytes(b"2")  # another content of the first size: not looked at
    assert open_dataset(root).fingerprint == prints[0]
    (root / "a" / "1.png").rename(root / "a" / "3.png")  # another name
    prints.append(open_dataset(root).fingerprint)
    (root / "aa").mkdir()  # another label of b: 2 instead of 1
    prints.append(open_dataset(root).fingerprint)
    assert len(set(prints)) == 4


def test_the_fingerprint_is_this_one_on_every_machine(plant: Plant) -> None:
    """sha256 of "label size length name" of each, in order."""
    import hashlib

    expected = hashlib.sha256(b"0 1 7 a/1.png" + b"1 2 8 b/\xc3\xa4.png").hexdigest()
    assert open_dataset(plant({"a/1.png": b"1", "b/ä.png": b"22"})).fingerprint == expected


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_an_error(plant: Plant) -> None:
    root = plant({"a/1.png": b"1"})
    (root / "a").chmod(0)
    with pytest.raises(MicronetError, match="cannot be read: Permission denied"):
        open_dataset(root)
    (root / "a").chmod(0o700)


def test_very_deep_folders_are_refused(plant: Plant) -> None:
    root = plant({"a/" + "d/" * 40 + "1.png": b"1"})
    with pytest.raises(MicronetError, match="folders deeper than 32 are refused"):
        open_dataset(root)
