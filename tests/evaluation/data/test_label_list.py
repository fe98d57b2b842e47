"""Flat folders: each format of a list of labels, and every way in which list and folder disagree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from micronet.errors import MicronetError
from micronet.evaluation.data.classes import class_list
from micronet.evaluation.data.open import open_dataset

if TYPE_CHECKING:
    from tests.evaluation.data.conftest import Plant

List = Callable[[str | bytes], Path]
ONE, TWO = "ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000002.JPEG"
FORMATS = (
    "--labels takes lines 'name index' (from 0) or 'name wnid', LOC_val_solution.csv, or"
    " ILSVRC2012_validation_ground_truth.txt."
)


@pytest.fixture
def listed(tmp_path: Path) -> List:
    """Writes a list of labels and gives its path."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "val.txt"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def two(plant: Plant) -> Path:
    """The first two images of ImageNet's validation set: here a sea snake (65) and an alp (970)."""
    return plant({ONE: b"1", TWO: b"22"})


GOOD = {
    "spaces": f"{ONE} 65\n{TWO} 970\n",
    "tab": f"{ONE}\t65\n{TWO}\t970",
    "comma": f"{ONE},65\n{TWO},970\n",
    "comma and space": f"{ONE}, 65\n{TWO} ,970\n",
    "quoted": f'"{ONE}","65"\n"{TWO}","970"\n',
    "with a heading": f"filename,label\n{ONE},65\n{TWO},970\n",
    "Windows": f"\ufeff{ONE} 65\r\n\r\n{TWO} 970\r\n",
    "other order": f"{TWO} 970\n{ONE} 65\n",
    "in a folder": f"val/{ONE} 65\n./val/{TWO} 970\n",
    "without suffix": f"{ONE[:-5]} 65\n{TWO[:-5]} 970\n",
    "another suffix": f"{ONE[:-5]}.jpg 65\n{TWO[:-5]}.png 970\n",
    "said twice": f"{ONE} 65\n{TWO} 970\n{ONE} 65\n",
    "wnid": f"{ONE} n01751748\n{TWO} n09193705\n",
    "wnid after a comma": f"{ONE},n01751748\n{TWO},n09193705\n",
    "Kaggle": (
        "ImageId,PredictionString\n"
        f"{ONE[:-5]},n01751748 111 108 441 193 \n"
        f"{TWO[:-5]},n09193705 85 1 499 272 n09193705 131 0 499 254 \n"
    ),
}


@pytest.mark.parametrize("content", GOOD.values(), ids=GOOD.keys())
def test_each_format_gives_the_same_data_set(two: Path, listed: List, content: str) -> None:
    found = open_dataset(two, labels=listed(content))
    assert [(e.name, e.label, e.size_bytes) for e in found.examples] == [
        (ONE, 65, 1),
        (TWO, 970, 2),
    ]
    assert found.classes == class_list("imagenet")
    assert (found.kind, found.split) == ("flat-folder", None)
    assert found.recognised == "2 of the 50,000 images of the ImageNet validation set"
    assert found.read(1) == b"22"


BOXES = "expected a name and boxes 'wnid x y x y' of one wnid"
BAD = {
    "empty": ("\n \n", "is empty."),
    "binary": ("a.jpg 1\0", "is not a text file."),
    "a heading alone": ("name,label\n", "has a heading and no labels."),
    "no label": (f"{ONE} 65\n{TWO}\n", f"line 2: expected a name and a label: '{TWO}'."),
    "no number": (f"{ONE} 65\n{TWO} alp\n", "line 2: expected an index from 0 on: 'alp'."),
    "negative": (f"{ONE} -1\n", "line 1: expected an index from 0 on: '-1'."),
    "huge": (f"{ONE} {'9' * 5000}\n", f"line 1: expected an index from 0 on: '{'9' * 60}'."),
    "from 1": (f"{ONE} 1\n{TWO} 1000\n", "labels 1 to 1,000, expected 0 to 999."),
    "line numbers": (f"{ONE} 1\n{TWO} 50000\n", "labels 1 to 50,000, expected 0 to 999."),
    "unknown wnid": (
        f"{ONE} n01751748\n{TWO} n00000000\n",
        "line 2: expected a WordNet ID of ImageNet's 1,000 classes: 'n00000000'.",
    ),
    "mixed": (
        f"{ONE} n01751748\n{TWO} 970\n",
        "line 2: expected a WordNet ID of ImageNet's 1,000 classes: '970'.",
    ),
    "two labels": (f"{ONE} 65\nx/{ONE} 66\n", f"line 2: 'x/{ONE}' has two labels."),
    "boxes of two classes": (
        f"ImageId,PredictionString\n{ONE},n01751748 1 2 3 4 n09193705 1 2 3 4\n",
        f"line 2: {BOXES}: 'ILSVRC2012_val_00000001.JPEG,n01751748 1 2 3 4 n09193705 1 2'.",
    ),
    "boxes that are none": (
        f"ImageId,PredictionString\n{ONE},n01751748 1 2 3\n",
        f"line 2: {BOXES}: 'ILSVRC2012_val_00000001.JPEG,n01751748 1 2 3'.",
    ),
    "escape codes": ("\x1b[31mred\n", "line 1: expected a name and a label: '\\x1b[31mred'."),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD.keys())
def test_what_does_not_fit_is_an_error(two: Path, listed: List, content: str, message: str) -> None:
    path = listed(content)
    with pytest.raises(MicronetError) as caught:
        open_dataset(two, labels=path)
    assert caught.value.message == f"{path}: {message}"


def test_a_list_from_1_is_never_shifted_but_says_what_to_do(two: Path, listed: List) -> None:
    with pytest.raises(MicronetError) as caught:
        open_dataset(two, labels=listed(f"{ONE} 1\n{TWO} 1000\n"))
    assert caught.value.next_step == "They count from 1: subtract 1 from each."


def test_images_without_label_are_named(plant: Plant, listed: List) -> None:
    root = plant({f"{letter}.jpg": b"" for letter in "abcde"})
    with pytest.raises(MicronetError) as caught:
        open_dataset(root, labels=listed("a.jpg 0\n"))
    assert str(caught.value) == (
        f"{root}: 4 images without a label: b, c, d and 1 more.\n"
        "The list labels 1 image, the folder holds 5."
    )


def test_listed_images_that_are_not_there_are_named(two: Path, listed: List) -> None:
    names = "".join(f"ILSVRC2012_val_{n:08d}.JPEG 0\n" for n in range(1, 7))
    with pytest.raises(MicronetError) as caught:
        open_dataset(two, labels=listed(names))
    stems = ", ".join(f"ILSVRC2012_val_{n:08d}" for n in (3, 4, 5))
    assert str(caught.value) == (
        f"{two}: 4 listed images not there: {stems} and 1 more.\n"
        "Get them, or for a part of the set give a list of that part."
    )


def test_two_images_that_one_line_could_mean_are_an_error(plant: Plant, listed: List) -> None:
    root = plant({"a.jpg": b"", "a.png": b""})
    with pytest.raises(MicronetError, match=r"two images of one name but.*: a\.jpg, a\.png\."):
        open_dataset(root, labels=listed("a.jpg 0\n"))


def test_without_a_list_the_formats_are_told(two: Path) -> None:
    with pytest.raises(MicronetError) as caught:
        open_dataset(two)
    assert str(caught.value) == f"{two}: holds images without class folders or labels.\n{FORMATS}"


def test_empty_folders_beside_images_do_not_make_class_folders(two: Path) -> None:
    (two / "thumbnails").mkdir()
    with pytest.raises(MicronetError, match="holds images without class folders or labels"):
        open_dataset(two)


def test_a_list_for_class_folders_is_refused(plant: Plant, listed: List) -> None:
    root, path = plant({"cat/a.jpg": b""}), listed("a.jpg 0\n")
    with pytest.raises(MicronetError) as caught:
        open_dataset(root, labels=path)
    assert caught.value.message == (
        f"{root}: has class folders (1 folder); --labels {path} is for images in one folder."
    )


def test_a_list_that_is_not_there_is_an_error(two: Path, tmp_path: Path) -> None:
    with pytest.raises(MicronetError, match=r"no\.txt: cannot be read: No such file"):
        open_dataset(two, labels=tmp_path / "no.txt")
    with pytest.raises(MicronetError, match=r"cannot be read: Is a directory"):
        open_dataset(two, labels=tmp_path)


def test_the_flat_folder_may_be_the_roots_val(plant: Plant, listed: List) -> None:
    root = plant({f"val/{ONE}": b"", "train/n01440764/x.JPEG": b""})
    found = open_dataset(root, labels=listed(f"{ONE} 65"))
    assert [(example.name, example.label) for example in found.examples] == [(ONE, 65)]


def test_numbers_are_classes_of_the_track_or_else_only_numbers(plant: Plant, listed: List) -> None:
    root, path = (
        plant({"a b.jpg": b"", "c.jpg": b"", "notes.md": b""}),
        listed("a b.jpg 3\nc.jpg 1\n"),
    )
    found = open_dataset(root, labels=path)
    assert [(e.name, e.label) for e in found.examples] == [("a b.jpg", 3), ("c.jpg", 1)]
    assert found.classes == ("0", "1", "2", "3")
    assert found.notes == (
        "Labels are numbers without names: 4 classes are taken, up to the highest.",
        "No image is of class 0; do the labels count from 1?",
        "Left out: 1 file without an image's suffix (.md).",
    )
    assert open_dataset(root, labels=path, track="imagenet").classes == class_list("imagenet")
    assert open_dataset(root, labels=path, track="cifar100").classes == class_list("cifar100")


def test_a_label_cannot_ask_for_a_million_classes(plant: Plant, listed: List) -> None:
    root = plant({"a.jpg": b""})
    with pytest.raises(MicronetError, match=r"A label of 999,999; more than 100,000 classes"):
        open_dataset(root, labels=listed("a.jpg 999999"))


def test_names_that_are_not_utf8_are_matched_by_their_bytes(plant: Plant, listed: List) -> None:
    import os

    root = plant({"a.jpg": b""})
    (root / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"")
    found = open_dataset(root, labels=listed(b"a.jpg 0\ncaf\xe9.jpg 1\n"))
    assert [example.label for example in found.examples] == [0, 1]
