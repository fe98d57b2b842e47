"""CIFAR-10 itself, as class folders of PNG files: every image, and not decoded a second time."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from micronet.evaluation.data.classes import class_list
from micronet.evaluation.data.open import open_dataset
from micronet.training.data.batches import Look, epoch_batches
from micronet.training.data.open import TrainingData, open_training

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOK = Look(32, (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))


@pytest.fixture(scope="module")
def root() -> Path:
    path = Path(os.environ.get("MICRONET_TEST_DATA", ".")) / "cifar10"
    if not (path / "train").is_dir():
        pytest.skip("MICRONET_TEST_DATA names no folder with cifar10/train")
    return path


@pytest.fixture(scope="module")
def data(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[TrainingData, TrainingData, list[int]]]:
    """Opened twice, and what was heard of decoding the second time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        first = open_training(root, size=32)
        heard: list[int] = []
        second = open_training(root, size=32, progress=lambda done, _: heard.append(done))
        yield first, second, heard


@pytest.mark.slow
def test_it_is_all_of_it_with_the_labels_of_an_evaluation(
    root: Path, data: tuple[TrainingData, TrainingData, list[int]]
) -> None:
    train, test = data[0].train, data[0].test
    evaluated = open_dataset(root)
    assert test is not None
    assert evaluated.split == "cifar10-test"
    assert test.labels.tolist() == [example.label for example in evaluated.examples]
    assert test.source.names == tuple(example.name for example in evaluated.examples)
    assert data[0].classes == evaluated.classes == class_list("cifar10")
    assert torch.bincount(train.labels).tolist() == [5000] * 10
    assert torch.bincount(test.labels).tolist() == [1000] * 10


@pytest.mark.slow
def test_its_mean_is_the_one_that_everybody_rounds(
    data: tuple[TrainingData, TrainingData, list[int]],
) -> None:
    pixels = data[0].train.pixels
    assert pixels is not None
    totals = pixels.numpy().sum(axis=(0, 2, 3), dtype=np.int64).tolist()
    means = [Fraction(total, 255 * 50_000 * 32 * 32) for total in totals]
    assert [f"{float(mean):.4f}" for mean in means] == ["0.4914", "0.4822", "0.4465"]


@pytest.mark.slow
def test_it_is_the_same_from_the_cache(
    root: Path, data: tuple[TrainingData, TrainingData, list[int]]
) -> None:
    first, second, heard = data
    assert first.train.fingerprint == second.train.fingerprint
    assert first.train.pixels is not None
    assert second.train.pixels is not None
    assert torch.equal(first.train.pixels, second.train.pixels)
    assert heard == []
    for index in range(0, 50_000, 4999):
        with Image.open(root / "train" / first.train.source.names[index]) as image:
            expected = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
        assert second.train.pixels[index].numpy().tolist() == expected.tolist()


@pytest.mark.slow
def test_an_epoch_of_it_shows_each_image_once(
    data: tuple[TrainingData, TrainingData, list[int]],
) -> None:
    batches = epoch_batches(data[1].train, LOOK, seed=1, epoch=0, batch_size=512)
    sizes, seen = [], torch.zeros(50_000, dtype=torch.int64)
    for batch in batches:
        sizes.append(len(batch.labels))
        seen[batch.indices] += 1
        assert torch.equal(batch.labels, data[1].train.labels[batch.indices])
    assert sizes == [512] * 97 + [336]
    assert seen.unique().tolist() == [1]
