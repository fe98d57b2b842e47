"""What is opened at all: recognition of whole sets, the track, and what is none of the kinds."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from micronet.errors import MicronetError
from micronet.evaluation.data.classes import class_list, wnid_labels
from micronet.evaluation.data.dataset import Example
from micronet.evaluation.data.open import open_dataset
from micronet.evaluation.data.recognise import recognise

if TYPE_CHECKING:
    from tests.evaluation.data.conftest import Pack, Plant

DATA = os.environ.get("MICRONET_TEST_DATA")
NEEDS_DATA = pytest.mark.skipif(DATA is None, reason="MICRONET_TEST_DATA is not set")
COMPLETE = "ImageNet validation set, complete: 50,000 names, 50 in each class"


def test_the_whole_validation_set_is_recognised(tmp_path: Path) -> None:
    """All 50,000 names, 50 in each of 1,000 class folders, in a tar: its headers are quick to make."""
    wnids = list(wnid_labels())
    names = (f"{wnids[n % 1000]}/ILSVRC2012_val_{n:08d}.JPEG" for n in range(1, 50_001))
    headers = b"".join(tarfile.TarInfo(name).tobuf() for name in names)
    (tmp_path / "val.tar").write_bytes(headers + bytes(1024))
    found = open_dataset(tmp_path / "val.tar", track="imagenet")
    assert (found.split, found.name, found.recognised) == ("imagenet-val", "imagenet-val", COMPLETE)
    assert len(found.examples) == 50_000
    assert found.examples[0].name == "n01440764/ILSVRC2012_val_00001000.JPEG"


VAL = [Example(f"ILSVRC2012_val_{n:08d}.JPEG", n % 1000, 0) for n in range(1, 50_001)]


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        (VAL[1:], "49,999 of the 50,000 images of the ImageNet validation set"),
        (
            [*VAL, Example("extra.jpg", 0, 0)],
            "50,001 images in 1,000 of ImageNet's 1,000 classes, not its validation set",
        ),
        (
            [*VAL[1:], Example("ILSVRC2012_val_00050001.JPEG", 1, 0)],
            "50,000 images in 1,000 of ImageNet's 1,000 classes, not its validation set",
        ),
        (
            [*VAL, Example("again/ILSVRC2012_val_00000001.JPEG", 1, 0)],
            "50,001 images in 1,000 of ImageNet's 1,000 classes, not its validation set",
        ),
        (
            [*VAL[1:], Example("ILSVRC2012_val_00000001.JPEG", 2, 0)],
            "the 50,000 names of the ImageNet validation set, but not 50 in each class",
        ),
    ],
    ids=["one short", "one more", "one beyond", "one twice", "one in another class"],
)
def test_almost_the_validation_set_is_not_it(examples: list[Example], words: str) -> None:
    assert recognise(examples, class_list("imagenet")) == (None, words)


def test_validation_names_count_wherever_they_lie_and_however_they_end() -> None:
    renamed = [Example(f"x/{e.name[: -len('.JPEG')]}.png", e.label, 0) for e in VAL]
    assert recognise(renamed, class_list("imagenet")) == ("imagenet-val", COMPLETE)


def balanced(classes: int, each: int) -> list[Example]:
    return [Example(f"{c}/{n}", c, 0) for c in range(classes) for n in range(each)]


@pytest.mark.parametrize(
    ("name", "classes", "each", "title"),
    [("cifar100", 100, 100, "CIFAR-100"), ("cifar10", 10, 1000, "CIFAR-10")],
)
def test_cifars_test_sets_are_taken_for_it_by_their_counts(
    name: str, classes: int, each: int, title: str
) -> None:
    two_digits = tuple(f"{label:02d}" for label in range(classes))
    words = f"{title} test set by its counts, {each:,} in each of {classes} classes"
    examples = balanced(classes, each)
    for names in (class_list(name), two_digits):
        assert recognise(examples, names) == (f"{name}-test", words)
    assert recognise(examples[1:], class_list(name)) == (
        None,
        f"9,999 images in the classes of {title}, not its whole test set of 10,000",
    )
    uneven = [*examples[1:], examples[-1]]  # 10,000, but not the same number of each class
    assert recognise(uneven, class_list(name))[0] is None
    unknown = f"not a known set: 9,999 images, {classes} numbered classes"
    assert recognise(examples[1:], two_digits) == (None, unknown)
    others = tuple(f"class {label}" for label in range(classes))
    assert recognise(examples, others) == (
        None,
        f"not a known set: 10,000 images, {classes} classes",
    )


def test_a_track_with_another_number_of_classes_is_an_error(plant: Plant) -> None:
    root = plant({"n01440764/a.jpg": b""})
    with pytest.raises(MicronetError) as caught:
        open_dataset(root, track="cifar100")
    assert str(caught.value) == (
        f"{root}: 1,000 classes, but cifar100 has 100.\nGive that data set, or leave --track out."
    )


def test_cifar10_is_no_track_and_still_says_which_classes_are_meant(plant: Plant) -> None:
    found = open_dataset(plant({"dog/a.jpg": b"", "cat/b.jpg": b""}), track="cifar10")
    assert found.classes == class_list("cifar10")
    assert [example.label for example in found.examples] == [3, 5]


def test_a_track_without_images_is_an_error(plant: Plant) -> None:
    with pytest.raises(MicronetError) as caught:
        open_dataset(plant({"cat/a.jpg": b""}), track="wikitext103")
    assert str(caught.value) == (
        "Track 'wikitext103' is not judged on images.\nTracks that are: imagenet, cifar100."
    )


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MicronetError) as caught:
        open_dataset(tmp_path / "no")
    assert str(caught.value) == (
        f"{tmp_path}/no: cannot be read: No such file or directory.\n"
        "Expected a folder of images or a .tar file."
    )


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MicronetError) as caught:
        open_dataset(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: holds no images.\n"
        "Expected class folders, images with --labels, CIFAR as published, or .tar files."
    )


def test_class_folders_without_an_image_are_an_error(plant: Plant) -> None:
    root = plant({"cat/a.gif": b""})
    with pytest.raises(MicronetError) as caught:
        open_dataset(root)
    assert str(caught.value) == (
        f"{root}: holds no images.\n"
        "Expected files that end in .JPEG, .jpg, .png, .webp, .bmp, .tif, .ppm or .pgm."
    )


def test_a_file_of_another_kind_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8" * 400)
    with pytest.raises(MicronetError, match=r"a\.jpg: cannot be read as a tar file: "):
        open_dataset(path)


def test_tars_beside_folders_are_ambiguous_but_not_beside_wnids(pack: Pack, tmp_path: Path) -> None:
    pack("s/a.tar", {"0.jpg": b"", "0.cls": b"0"})
    (tmp_path / "s" / "cat").mkdir()
    with pytest.raises(MicronetError) as caught:
        open_dataset(tmp_path / "s")
    assert str(caught.value) == (
        f"{tmp_path}/s: holds tar files and folders; which are the data cannot be known.\n"
        "Give one of them, or move the others away: a.tar, cat."
    )
    (tmp_path / "s" / "cat").rename(tmp_path / "s" / "n01440764")
    (tmp_path / "s" / "n01440764" / "x.jpg").write_bytes(b"")
    found = open_dataset(tmp_path / "s")
    assert found.kind == "class-folders"
    assert found.notes == ("Left out: 1 file without an image's suffix (.tar).",)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("my photos", "my-photos"),
        ("mine/val", "mine-val"),
        ("ünï", "n"),
        ("...", "data"),
        ("日本", "data"),
        ("a.b_c", "a.b_c"),
    ],
)
def test_the_name_is_one_that_a_file_may_have(tmp_path: Path, folder: str, name: str) -> None:
    path = tmp_path / folder / "cat"
    path.mkdir(parents=True)
    (path / "a.jpg").write_bytes(b"")
    assert open_dataset(tmp_path / folder).name == name


def test_the_present_folder_has_its_name_too(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    root = plant({"cat/a.jpg": b"1"})
    monkeypatch.chdir(root)
    found = open_dataset(Path())
    monkeypatch.chdir("/")
    assert found.name == "photos"
    assert found.read(0) == b"1"


def test_nothing_heavy_is_imported_to_open_a_data_set(plant: Plant) -> None:
    root = plant({"cat/a.jpg": b""})
    heavy = "('torch', 'torchvision', 'numpy', 'pandas', 'PIL', 'scipy')"
    code = (
        "import sys; from pathlib import Path\n"
        "from micronet.evaluation.data.open import open_dataset\n"
        f"open_dataset(Path({str(root)!r}))\n"
        f"sys.exit(' '.join(set({heavy}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stderr.strip() == ""


@NEEDS_DATA
def test_the_real_photographs_have_the_labels_of_their_list() -> None:
    """labels.csv beside val/ says file, label and WordNet ID of each of the 1,000."""
    import csv

    root = Path(str(DATA)) / "imagenet-cc"
    found = open_dataset(root, track="imagenet")
    with (root / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = {f"{row['wnid']}/{row['file']}": int(row["label"]) for row in rows}
    assert {example.name: example.label for example in found.examples} == expected
    assert all(wnid_labels()[row["wnid"]] == int(row["label"]) for row in rows)
    assert (
        found.recognised
        == "1,000 images in 430 of ImageNet's 1,000 classes, not its validation set"
    )
    assert found.name == "imagenet-cc-val"


@NEEDS_DATA
def test_the_real_cifar100_images_are_taken_for_the_test_set() -> None:
    found = open_dataset(Path(str(DATA)) / "cifar100", track="cifar100")
    assert (found.split, len(found.examples)) == ("cifar100-test", 10_000)
    assert found.classes == class_list("cifar100")
    content = found.read(9_999)
    assert isinstance(content, bytes)
    assert len(content) == found.examples[9_999].size_bytes
