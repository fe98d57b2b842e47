"""Folders to learn from: found, labelled as an evaluation labels them, and refused with a reason."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from micronet.errors import MicronetError
from micronet.evaluation.data.classes import class_list
from micronet.evaluation.data.open import open_dataset
from micronet.training.data import folders
from micronet.training.data.open import open_training
from tests.evaluation.pictures import encoded
from tests.training.data.tiny import tiny, tiny_png

if TYPE_CHECKING:
    from pathlib import Path

    from micronet.training.data.images import Images
    from tests.training.data.conftest import Deal

CIFAR10 = class_list("cifar10")
SHUFFLED = tuple(sorted(CIFAR10, key=lambda name: hashlib.sha256(name.encode()).digest()))


def agrees(images: Images, classes: tuple[str, ...], folder: Path) -> bool:
    """Whether names, labels and classes are those of ``micronet evaluate`` on the folder."""
    evaluated = open_dataset(folder)
    return (images.source.names, images.labels.tolist(), classes) == (
        tuple(example.name for example in evaluated.examples),
        [example.label for example in evaluated.examples],
        evaluated.classes,
    )


@pytest.mark.parametrize(
    "classes",
    [
        *(CIFAR10, SHUFFLED, tuple(name.title() for name in CIFAR10)),
        *(("zebra", "ant", "bee"), ("10", "2", "0", "1", "3", "4", "5", "6", "7", "8", "9")),
        ("n01484850", "n01440764"),
        class_list("cifar100"),
    ],
)
@pytest.mark.parametrize("beside", ["test", "val", "validation"])
def test_labels_are_those_of_an_evaluation_of_the_same_folder(
    classes: tuple[str, ...], beside: str, deal: Deal
) -> None:
    deal("train", 2 * len(classes), classes)
    root = deal(beside, len(classes), classes)
    data = open_training(root, size=8)
    assert data.test is not None
    assert agrees(data.train, data.classes, root / "train")
    assert agrees(data.test, data.classes, root)
    assert (data.train.count, data.test.count) == (2 * len(classes), len(classes))


def test_pixels_are_held_and_are_those_of_the_files(deal: Deal) -> None:
    data = open_training(deal("train", 7, ["b", "a"]), size=8)
    pixels = data.train.pixels
    assert pixels is not None
    assert (pixels.shape, pixels.dtype) == ((7, 3, 8, 8), torch.uint8)
    # a: 1, 3, 5; b: 0, 2, 4, 6
    for position, seed in enumerate([1, 3, 5, 0, 2, 4, 6]):
        expected = np.asarray(tiny(seed)).transpose(2, 0, 1)
        assert pixels[position].numpy().tolist() == expected.tolist()
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert (data.train.labels.dtype, data.train.name) == (torch.int64, "photos/train")


def test_of_two_splits_beside_it_the_one_that_is_evaluated_is_taken(deal: Deal) -> None:
    deal("train", 4, "ab")
    deal("test", 4, "ab")
    data = open_training(deal("val", 2, "ab"), size=8)
    assert data.test is not None
    assert (data.test.name, data.test.count) == ("photos/val", 2)


def test_training_images_alone_are_enough(deal: Deal) -> None:
    root = deal("train", 4, "ab")
    for path in (root, root / "train"):
        data = open_training(path, size=8)
        assert (data.train.count, data.train.name, data.test) == (4, "photos/train", None)


def test_a_class_may_be_called_train(deal: Deal) -> None:
    """CIFAR-100 has trains."""
    root = deal(".", 100, class_list("cifar100"))
    data = open_training(root, size=8)
    assert (data.train.count, data.test) == (100, None)
    assert agrees(data.train, data.classes, root)


def test_what_is_left_out_is_told(deal: Deal) -> None:
    root = deal("train", 4, "ab")
    deal("test", 2, "ab")
    (root / "train" / "a" / "readme.txt").write_text("hello")
    (root / "test" / "c").mkdir()
    (root / "train" / "c").mkdir()
    assert open_training(root, size=8).notes == (
        "1 class folder without images: c.",
        "Left out: 1 file without an image's suffix (.txt).",
        "1 class folder without images: c.",
    )


def test_the_fingerprint_covers_names_labels_and_pixels(tmp_path: Path) -> None:
    def fingerprint(names: tuple[str, ...], pixel: int = 0, compression: int = 6) -> str:
        root = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            image = Image.new("RGB", (8, 8), (pixel, 0, 0))
            (root / name).write_bytes(encoded(image, "PNG", compress_level=compression))
        return open_training(root, size=8).train.fingerprint

    plain = fingerprint(("a/1.png", "b/2.png"))
    assert plain == fingerprint(("a/1.png", "b/2.png"), compression=0)
    assert plain != fingerprint(("a/1.png", "b/2.png"), pixel=1)
    assert plain != fingerprint(("a/1.png", "b/3.png"))
    assert plain != fingerprint(("a/1.png", "a/2.png"))
    # LABEL SIZE LENGTH NAME of each, then the pixels: one red value, no green, no blue, of each
    rows = b"0 0 7 a/1.png" + b"1 0 7 b/2.png" + bytes(2 * 3 * 64)
    assert plain == hashlib.sha256(rows).hexdigest()


def test_progress_counts_both_splits(deal: Deal) -> None:
    deal("train", 260, "ab")
    heard: list[tuple[int, int]] = []
    open_training(
        deal("test", 20, "ab"), size=8, progress=lambda done, of: heard.append((done, of))
    )
    assert heard == [(250, 280), (260, 280), (280, 280)]


@pytest.mark.parametrize(
    ("size", "side", "held"), [(64, 64, True), (48, 65, False), (65, 65, False), (224, 8, False)]
)
def test_small_images_of_small_networks_are_held(
    size: int, side: int, held: bool, tmp_path: Path
) -> None:
    path = tmp_path / "train" / "a" / "1.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(tiny_png(1, side, side))
    assert (open_training(tmp_path, size=size).train.pixels is not None) == held


def test_what_would_not_fit_in_memory_is_read_one_by_one(
    deal: Deal, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = deal("train", 4, "ab")
    monkeypatch.setattr(folders, "MAX_HELD_BYTES", 4 * 3 * 8 * 8)
    assert open_training(root, size=8).train.pixels is not None
    monkeypatch.setattr(folders, "MAX_HELD_BYTES", 4 * 3 * 8 * 8 - 1)
    assert open_training(root, size=8).train.pixels is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no image", "no image of a known format"),
        (tiny_png(1)[:-40], "image file is truncated"),
        (tiny_png(1, 9, 8), "has 9×8 pixels, expected 8×8"),
        (tiny_png(1, 200, 300), "has 200×300 pixels, expected 8×8"),
    ],
)
def test_an_image_that_does_not_fit_among_small_ones_is_named(
    content: bytes, reason: str, deal: Deal
) -> None:
    root = deal("train", 260, ["cat", "dog"])
    (root / "train" / "dog" / "00255.png").write_bytes(content)
    with pytest.raises(MicronetError) as caught:
        open_training(root, size=8)
    assert str(caught.value).startswith(f"photos/train: dog/00255.png: {reason}")
    assert caught.value.next_step == "Get the image again, or take it out of the data set."


def test_images_of_another_size_than_the_network_takes_are_refused(deal: Deal) -> None:
    with pytest.raises(MicronetError, match=r"a/00000\.png: has 8×8 pixels, expected 32×32\."):
        open_training(deal("train", 4, "ab"), size=32)


def test_a_link_that_leads_nowhere_is_an_image_that_is_missing(deal: Deal) -> None:
    root = deal("train", 4, "ab")
    (root / "train" / "b" / "x.png").symlink_to(root / "gone.png")
    with pytest.raises(MicronetError, match=r"photos/train: b/x\.png: No such file or directory\."):
        open_training(root, size=8)


def test_splits_of_different_classes_are_refused(deal: Deal) -> None:
    """A missing folder would shift the labels of those behind it."""
    deal("train", 6, "abc")
    root = deal("test", 2, "ac")
    with pytest.raises(MicronetError) as caught:
        open_training(root, size=8)
    assert str(caught.value) == (
        f"{root}/test: 2 classes, expected the 3 of {root}/train; in one of them only: b.\n"
        "Give both the same class folders, also where one is empty."
    )


def _flat(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(tiny_png(1))
    return root


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("val/a/1.png",), "{root}: holds 'val' to evaluate on, and no 'train' to learn from."),
        (("train/a/1.png", "test/1.png"), "{root}/test: holds no class folders with images."),
        (("train/1.png", "test/a/1.png"), "{root}/train: holds no class folders with images."),
        (("1.png",), "{root}: holds no class folders with images."),
        (("a/readme.txt",), "{root}: holds no images."),
        (("n01440764/1.png", "n00000000/1.png"), "{root}: 1 folder beside the 1,000 WordNet IDs"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_with_a_reason(
    names: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    root = _flat(tmp_path / "data", *names)
    with pytest.raises(MicronetError) as caught:
        open_training(root, size=8)
    assert str(caught.value).startswith(message.format(root=root))
    assert caught.value.next_step is not None


@pytest.mark.parametrize("there", [True, False])
def test_what_is_no_folder_is_refused(there: bool, tmp_path: Path) -> None:
    path = tmp_path / "images.tar"
    if there:
        path.write_bytes(b"")
    with pytest.raises(MicronetError) as caught:
        open_training(path, size=8)
    assert str(caught.value) == (
        f"{path}: is no folder that can be read.\n"
        "Expected a folder that holds 'train' with class folders, or CIFAR as published."
    )
