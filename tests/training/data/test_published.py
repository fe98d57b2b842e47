"""CIFAR as published, to learn from: all training batches in order, and the test split beside."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
import torch

from micronet.errors import MicronetError
from micronet.evaluation.data.classes import class_list
from micronet.evaluation.data.open import open_dataset
from micronet.training.data.batches import Look, eval_batches
from micronet.training.data.open import TrainingData, open_training

if TYPE_CHECKING:
    from pathlib import Path

    from tests.evaluation.data.conftest import Pickle

PER_FILE = 4
CIFAR10_FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
FOLDERS = {
    "cifar-10-batches-py": CIFAR10_FILES,
    "cifar-10-batches-bin": tuple(f"{name}.bin" for name in CIFAR10_FILES),
    "cifar-100-python": ("train", "test"),
    "cifar-100-binary": ("train.bin", "test.bin"),
}


def labels_of(number: int) -> list[int]:
    return [(3 * number + index) % 10 for index in range(PER_FILE)]


def pixels_of(number: int) -> bytes:
    return random.Random(number).randbytes(PER_FILE * 3072)  # noqa: S311 - reproducible pixels


def write(root: Path, folder: str, python2_pickle: Pickle) -> Path:
    """All files of a version, each of four images."""
    for number, name in enumerate(FOLDERS[folder]):
        labels, pixels = labels_of(number), pixels_of(number)
        if folder.startswith("cifar-100"):
            key, coarse = "fine_labels", b"\x07"
        else:
            key, coarse = "labels", b""
        rows = [pixels[at : at + 3072] for at in range(0, len(pixels), 3072)]
        binary = b"".join(
            coarse + bytes([label]) + row for label, row in zip(labels, rows, strict=True)
        )
        path = root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(binary if name.endswith(".bin") else python2_pickle(key, labels, pixels))
    return root


@pytest.mark.parametrize("folder", FOLDERS)
def test_training_images_are_those_of_all_batches_in_order(
    folder: str, tmp_path: Path, python2_pickle: Pickle
) -> None:
    data = open_training(write(tmp_path, folder, python2_pickle), size=32)
    last = len(FOLDERS[folder]) - 1
    assert data.test is not None
    for images, numbers in ((data.train, range(last)), (data.test, [last])):
        pixels = images.pixels
        assert pixels is not None
        assert pixels.shape == (PER_FILE * len(numbers), 3, 32, 32)
        assert pixels.numpy().tobytes() == b"".join(map(pixels_of, numbers))
        assert images.labels.tolist() == [label for n in numbers for label in labels_of(n)]
    assert data.train.source.names[-1] == f"train/{PER_FILE * last - 1:05d}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_test_images_are_those_of_an_evaluation(
    folder: str, tmp_path: Path, python2_pickle: Pickle
) -> None:
    evaluated = open_dataset(write(tmp_path, folder, python2_pickle))
    data = open_training(tmp_path, size=32)
    assert data.test is not None
    assert data.classes == evaluated.classes == class_list(data.test.name.partition("/")[0])
    assert data.test.fingerprint == evaluated.fingerprint
    assert data.test.source.names == tuple(example.name for example in evaluated.examples)
    assert data.test.labels.tolist() == [example.label for example in evaluated.examples]
    assert [data.test.source.read(i) for i in range(PER_FILE)] == [
        evaluated.read(i) for i in range(PER_FILE)
    ]


def test_python_and_binary_versions_are_the_same_data_set(
    tmp_path: Path, python2_pickle: Pickle
) -> None:
    def facts(data: TrainingData) -> tuple[str, str]:
        return data.train.name, data.train.fingerprint

    found = [
        facts(open_training(write(tmp_path / folder, folder, python2_pickle), size=32))
        for folder in FOLDERS
    ]
    assert found[0] == found[1]
    assert found[2] == found[3]
    assert found[0] != found[2]


def test_a_larger_network_gets_them_resized(tmp_path: Path, python2_pickle: Pickle) -> None:
    data = open_training(write(tmp_path, "cifar-10-batches-bin", python2_pickle), size=96)
    look = Look(96, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), train="resized crop and flip")
    [batch] = eval_batches(data.train, look, batch_size=20)
    assert (batch.images.shape, batch.images.dtype) == ((20, 3, 96, 96), torch.float32)


def test_another_small_network_is_refused(tmp_path: Path, python2_pickle: Pickle) -> None:
    root = write(tmp_path, "cifar-10-batches-bin", python2_pickle)
    with pytest.raises(MicronetError) as caught:
        open_training(root, size=64)
    assert str(caught.value) == (
        f"{root}/cifar-10-batches-bin: images of 32×32 pixels, but the network takes 64×64.\n"
        "Give images of that size, or a network that takes 32×32."
    )


def test_a_training_batch_that_is_missing_or_damaged_is_named(
    tmp_path: Path, python2_pickle: Pickle
) -> None:
    root = write(tmp_path, "cifar-10-batches-py", python2_pickle)
    path = root / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(MicronetError, match=r"data_batch_3: is not CIFAR's train split: "):
        open_training(root, size=32)
    path.write_bytes(python2_pickle("labels", [], b""))
    assert open_training(root, size=32).train.count == 4 * PER_FILE
    path.unlink()
    with pytest.raises(MicronetError, match=r"data_batch_3: cannot be read: No such file"):
        open_training(root, size=32)


def test_a_split_without_images_is_refused(tmp_path: Path, python2_pickle: Pickle) -> None:
    root = write(tmp_path, "cifar-100-python", python2_pickle)
    (root / "cifar-100-python" / "train").write_bytes(python2_pickle("fine_labels", [], b""))
    with pytest.raises(MicronetError) as caught:
        open_training(root, size=32)
    assert str(caught.value) == f"{root}/cifar-100-python: its train split holds no images."


def test_a_label_beyond_the_classes_is_refused(tmp_path: Path, python2_pickle: Pickle) -> None:
    root = write(tmp_path, "cifar-10-batches-py", python2_pickle)
    path = root / "cifar-10-batches-py" / "data_batch_2"
    path.write_bytes(python2_pickle("labels", [0, 10, 1, 2], pixels_of(1)))
    with pytest.raises(MicronetError, match=r"data_batch_2: label 10, expected 0 to 9\."):
        open_training(root, size=32)
