"""CIFAR as published: pixel by pixel what torchvision reads, with nothing in the pickle run."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pickle
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from micronet.errors import MicronetError
from micronet.evaluation.data.cifar import VARIANTS, open_cifar
from micronet.evaluation.data.classes import class_list
from micronet.evaluation.data.open import open_dataset
from micronet.evaluation.data.pixel_digest import DIGESTS, pixel_digest

if TYPE_CHECKING:
    from tests.evaluation.data.conftest import Pickle

COUNT = 12
LABELS = [(7 * index) % 10 for index in range(COUNT)]
PIXELS = random.Random(1).randbytes(COUNT * 3072)  # noqa: S311 - reproducible pixels
PYTHON_FOLDERS = {"cifar-10-batches-py": "test_batch", "cifar-100-python": "test"}
KEYS = {"cifar-10-batches-py": "labels", "cifar-100-python": "fine_labels"}


def records(coarse: bytes = b"") -> bytes:
    rows = [PIXELS[index * 3072 : (index + 1) * 3072] for index in range(COUNT)]
    return b"".join(coarse + bytes([label]) + row for label, row in zip(LABELS, rows, strict=True))


def write(root: Path, folder: str, content: bytes) -> Path:
    names = {**PYTHON_FOLDERS, "cifar-10-batches-bin": "test_batch.bin"}
    path = root / folder / names.get(folder, "test.bin")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture(params=PYTHON_FOLDERS)
def python_root(request: pytest.FixtureRequest, tmp_path: Path, python2_pickle: Pickle) -> Path:
    """The parent of CIFAR-10's or CIFAR-100's Python version, with 12 images."""
    folder = request.param
    write(tmp_path, folder, python2_pickle(KEYS[folder], LABELS, PIXELS))
    return tmp_path


def test_the_pickle_of_these_tests_is_one_that_python_reads(python2_pickle: Pickle) -> None:
    loaded = pickle.loads(python2_pickle("labels", LABELS, PIXELS), encoding="latin1")  # noqa: S301
    assert loaded["labels"] == LABELS
    assert (loaded["data"].shape, loaded["data"].tobytes()) == ((COUNT, 3072), PIXELS)


def test_pixels_and_labels_are_those_that_torchvision_would_show(python_root: Path) -> None:
    """torchvision: reshape(-1, 3, 32, 32), transposed to height, width, channel."""
    found = open_dataset(python_root)
    theirs = np.frombuffer(PIXELS, np.uint8).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    for index in range(COUNT):
        image = found.read(index)
        assert isinstance(image, Image.Image)
        assert (image.mode, image.size) == ("RGB", (32, 32))
        assert image.tobytes() == theirs[index].tobytes()
    assert [(example.name, example.label) for example in found.examples] == [
        (f"test/{index:05d}", LABELS[index]) for index in range(COUNT)
    ]


def test_the_folder_itself_and_a_renamed_one_are_known_too(python_root: Path) -> None:
    expected = open_dataset(python_root)
    own = expected.root
    assert open_dataset(own).fingerprint == expected.fingerprint
    (own / ("meta" if own.name == "cifar-100-python" else "batches.meta")).write_bytes(b"")
    own.rename(python_root / "mine")
    assert open_dataset(python_root / "mine").fingerprint == expected.fingerprint


def test_python_and_binary_versions_are_the_same_data_set(
    tmp_path: Path, python2_pickle: Pickle
) -> None:
    pairs = {
        "cifar-10-batches-py": ("cifar-10-batches-bin", b""),
        "cifar-100-python": ("cifar-100-binary", b"\x07"),
    }
    for number, (python, (binary, coarse)) in enumerate(pairs.items()):
        root = tmp_path / str(number)
        write(root / "p", python, python2_pickle(KEYS[python], LABELS, PIXELS))
        write(root / "b", binary, records(coarse))
        one, other = open_dataset(root / "p"), open_dataset(root / "b")
        assert one.examples == other.examples
        assert one.fingerprint == other.fingerprint
        assert [one.read(i) for i in range(COUNT)] == [other.read(i) for i in range(COUNT)]
        assert one.classes == other.classes == class_list(("cifar10", "cifar100")[number])
        assert {one.kind, other.kind} == {
            f"{('cifar10', 'cifar100')[number]}-{word}" for word in ("python", "binary")
        }


def test_the_fingerprint_covers_the_pixels(tmp_path: Path) -> None:
    """Names, labels and sizes are the same of every such file, so something else must tell."""
    path = write(tmp_path, "cifar-10-batches-bin", records())
    before = open_dataset(tmp_path).fingerprint
    path.write_bytes(records()[:-1] + bytes([PIXELS[-1] ^ 1]))
    assert open_dataset(tmp_path).fingerprint != before


def test_both_sets_in_one_folder_are_told_apart_by_the_track(
    tmp_path: Path, python2_pickle: Pickle
) -> None:
    for folder in PYTHON_FOLDERS:
        write(tmp_path, folder, python2_pickle(KEYS[folder], LABELS, PIXELS))
    with pytest.raises(MicronetError) as caught:
        open_dataset(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: holds CIFAR-10 and CIFAR-100.\n"
        f"Give {tmp_path}/cifar-10-batches-py or {tmp_path}/cifar-100-python."
    )
    assert open_dataset(tmp_path, track="cifar100").kind == "cifar100-python"


def test_cifar10_does_not_fit_the_track_of_cifar100(tmp_path: Path) -> None:
    write(tmp_path, "cifar-10-batches-bin", records())
    with pytest.raises(MicronetError, match="10 classes, but cifar100 has 100"):
        open_dataset(tmp_path, track="cifar100")


def test_a_list_of_labels_is_not_for_cifar(tmp_path: Path) -> None:
    write(tmp_path, "cifar-10-batches-bin", records())
    with pytest.raises(MicronetError, match="is CIFAR as published, with its labels; --labels"):
        open_dataset(tmp_path, labels=tmp_path / "x")


def test_the_right_counts_of_other_pixels_are_not_the_test_set(
    tmp_path: Path, python2_pickle: Pickle
) -> None:
    labels = [index % 100 for index in range(10_000)]
    write(tmp_path, "cifar-100-python", python2_pickle("fine_labels", labels, bytes(30_720_000)))
    found = open_dataset(tmp_path, track="cifar100")
    assert found.split is None
    counts = "CIFAR-100 test set by its counts, 100 in each of 100 classes"
    assert found.recognised == f"{counts}, but not by its pixels and labels"
    assert found.examples[-1].name == "test/09999"


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_the_real_test_set_is_recognised_by_its_pixels(name: str) -> None:
    """As PNGs in class folders; one label moved, and it is another set."""
    root = os.environ.get("MICRONET_TEST_DATA")
    if root is None or not (Path(root) / name / "test").is_dir():
        pytest.skip(f"MICRONET_TEST_DATA names no folder with {name}")
    found = open_dataset(Path(root) / name)
    assert found.split == f"{name}-test"
    assert found.recognised.endswith(", and pixel by pixel")
    swapped = list(found.examples)
    first, last = swapped[0], swapped[-1]
    swapped[0], swapped[-1] = (
        dataclasses.replace(first, label=last.label),
        dataclasses.replace(last, label=first.label),
    )
    assert pixel_digest(found.examples, found.read) == DIGESTS[f"{name}-test"]
    assert pixel_digest(swapped, found.read) != DIGESTS[f"{name}-test"]


def test_a_part_is_not(python_root: Path) -> None:
    found = open_dataset(python_root)
    assert found.split is None
    title = "CIFAR-10" if "10-" in found.root.name else "CIFAR-100"
    title = "CIFAR-100" if found.root.name == "cifar-100-python" else title
    expected = f"12 images in the classes of {title}, not its whole test set of 10,000"
    assert found.recognised == expected


def test_the_published_file_is_recognised_by_its_md5(
    tmp_path: Path, python2_pickle: Pickle
) -> None:
    """With the digest of this file in place of the published one, which we may not ship."""
    content = python2_pickle("fine_labels", LABELS, PIXELS)
    path = write(tmp_path, "cifar-100-python", content)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    variant = dataclasses.replace(VARIANTS[1], md5=md5)
    found = open_cifar(variant, path.parent, None)
    assert found.split == "cifar100-test"
    assert found.recognised == f"CIFAR-100 test set, complete: the published file (md5 {md5})"


def test_the_digests_are_those_that_torchvision_checks() -> None:
    from torchvision.datasets import CIFAR10, CIFAR100

    for variant, theirs in zip(VARIANTS[:2], (CIFAR10, CIFAR100), strict=True):
        assert [[variant.file, variant.md5]] == theirs.test_list
        assert variant.folder == theirs.base_folder
        assert variant.beside == theirs.meta["filename"]


def by_columns(pixels: bytes) -> np.ndarray[Any, Any]:
    rows = np.frombuffer(pixels, np.uint8).reshape(COUNT, 3072)
    return np.asfortranarray(rows)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("key", ["labels", b"labels"])
@pytest.mark.parametrize("columns", [False, True])
def test_pickled_again_by_python_3_it_is_read_too(
    tmp_path: Path, protocol: int, key: str | bytes, columns: bool
) -> None:
    rows = np.frombuffer(PIXELS, np.uint8).reshape(COUNT, 3072)
    data = "data" if isinstance(key, str) else b"data"
    value = {key: LABELS, data: by_columns(PIXELS) if columns else rows}
    write(tmp_path, "cifar-10-batches-py", pickle.dumps(value, protocol))
    image = open_dataset(tmp_path).read(COUNT - 1)
    assert isinstance(image, Image.Image)
    planes = [plane.tobytes() for plane in image.split()]
    assert b"".join(planes) == PIXELS[-3072:]


class Hostile:
    """Pickles as a call that would leave the file ``canary`` behind."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.canary}",)


@pytest.mark.parametrize("place", ["whole", "labels", "data", "beside"])
def test_a_hostile_pickle_is_refused_and_nothing_runs(tmp_path: Path, place: str) -> None:
    canary = tmp_path / "canary"
    rows = np.frombuffer(PIXELS, np.uint8).reshape(COUNT, 3072)
    value: Any = {"labels": LABELS, "data": rows, "beside": 1}
    value = Hostile(canary) if place == "whole" else {**value, place: Hostile(canary)}
    content = pickle.dumps(value, 2)
    path = write(tmp_path, "cifar-10-batches-py", content)
    with pytest.raises(MicronetError) as caught:
        open_dataset(tmp_path)
    assert caught.value.message == (
        f"{path}: is not CIFAR's test split: it asks to call posix.system,"
        " which no checkpoint needs: it is hostile."
    )
    assert not canary.exists()
    pickle.loads(content)  # noqa: S301 - the proof that it would have run
    assert canary.exists()


ROWS = np.frombuffer(PIXELS, np.uint8).reshape(COUNT, 3072)
WRONG: dict[str, tuple[Any, str]] = {
    "a list": ([], "it has no 'labels'"),
    "no labels": ({"data": ROWS}, "it has no 'labels'"),
    "no data": ({"labels": LABELS}, "it has no 'data'"),
    "labels of text": (
        {"labels": ["1"] * COUNT, "data": ROWS},
        "its 'labels' is not a list of whole numbers",
    ),
    "labels of truth": (
        {"labels": [True] * COUNT, "data": ROWS},
        "its 'labels' is not a list of whole numbers",
    ),
    "data in a list": ({"labels": LABELS, "data": [1]}, "its 'data' is not a numpy array"),
    "fewer labels": (
        {"labels": LABELS[1:], "data": ROWS},
        "its 'data' is not 11 rows of 3,072 bytes, one a label",
    ),
    "other numbers": (
        {"labels": LABELS, "data": ROWS.view(np.int8)},
        "its 'data' is not 12 rows of 3,072 bytes, one a label",
    ),
    "other rows": (
        {"labels": LABELS, "data": ROWS[:, :3071]},
        "its 'data' is not 12 rows of 3,072 bytes, one a label",
    ),
}


@pytest.mark.parametrize(("value", "reason"), WRONG.values(), ids=WRONG.keys())
def test_another_pickle_is_refused_with_the_reason(tmp_path: Path, value: Any, reason: str) -> None:
    path = write(tmp_path, "cifar-10-batches-py", pickle.dumps(value, 2))
    with pytest.raises(MicronetError) as caught:
        open_dataset(tmp_path)
    assert caught.value.message == f"{path}: is not CIFAR's test split: {reason}."


def test_an_array_that_holds_less_than_it_announces_is_refused(
    tmp_path: Path, python2_pickle: Pickle
) -> None:
    write(tmp_path, "cifar-10-batches-py", python2_pickle("labels", LABELS, PIXELS[:-1]))
    with pytest.raises(MicronetError, match="does not hold the 36,864 bytes it announces"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("cut", [0, 1, 500, 30_000])
def test_a_pickle_cut_short_is_refused(tmp_path: Path, python2_pickle: Pickle, cut: int) -> None:
    content = python2_pickle("labels", LABELS, PIXELS)
    write(tmp_path, "cifar-10-batches-py", content[:cut])
    with pytest.raises(MicronetError, match="is not CIFAR's test split: "):
        open_dataset(tmp_path)


def test_a_label_beyond_the_classes_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, "cifar-10-batches-bin", b"\x0a" + bytes(3072))
    with pytest.raises(MicronetError) as caught:
        open_dataset(tmp_path)
    assert caught.value.message == f"{path}: label 10, expected 0 to 9."


@pytest.mark.parametrize("content", [b"", bytes(3072), bytes(3074)])
def test_a_binary_file_cut_short_is_refused(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, "cifar-10-batches-bin", content)
    with pytest.raises(MicronetError) as caught:
        open_dataset(tmp_path)
    assert str(caught.value) == (
        f"{path}: {len(content):,} bytes, expected a multiple of 3,073.\n"
        "The file is cut short or another one: get it again."
    )


@pytest.mark.parametrize("folder", ["cifar-10-batches-py", "cifar-10-batches-bin"])
def test_a_file_beyond_all_measure_is_not_read(tmp_path: Path, folder: str) -> None:
    path = write(tmp_path, folder, b"")
    os.truncate(path, 2**40)  # holes: it takes no space
    with pytest.raises(MicronetError, match="has 1,099,511,627,776 bytes; more than 67,108,864"):
        open_dataset(tmp_path)
