"""Images that are read one by one: the same batches by one thread or several, made ahead."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets, transforms
from torchvision.transforms import functional as F

from micronet.errors import MicronetError
from micronet.training.data.batches import Batch, Look, epoch_batches, eval_batches
from micronet.training.data.draws import Draw
from micronet.training.data.images import Images, held_images
from micronet.training.data.open import open_training
from micronet.training.data.reading import read_ahead
from tests.evaluation.pictures import encoded, picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LOOK = Look(48, MEAN, STD, train="resized crop and flip")
WNIDS = ("n01440764", "n01443537", "n01484850")
PLAIN = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty photographs of different sizes to learn from, six to evaluate on."""
    for split, count in (("train", 20), ("val", 6)):
        for index in range(count):
            path = tmp_path / split / WNIDS[index % 3] / f"{index:03d}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            image = picture(index, 90 + 7 * (index % 5), 80 + 9 * (index % 4))
            path.write_bytes(encoded(image, "JPEG"))
    return tmp_path


@pytest.fixture
def images(photos: Path) -> Images:
    return open_training(photos, size=48).train


def epoch(images: Images, **changes: Any) -> list[Batch]:
    settings = {"seed": 1, "epoch": 2, "batch_size": 8, "threads": 2}
    return list(epoch_batches(images, LOOK, **{**settings, **changes}))


def facts(batches: list[Batch]) -> list[tuple[list[int], list[int], bytes]]:
    return [
        (batch.indices.tolist(), batch.labels.tolist(), batch.images.numpy().tobytes())
        for batch in batches
    ]


def entering(image: Any) -> Tensor:
    made: Tensor = transforms.Compose(PLAIN)(image)
    return made


def test_a_box_is_resized_and_flipped_as_torchvision_does_it(photos: Path, images: Images) -> None:
    flips = set()
    for batch in epoch(images):
        assert batch.images.is_contiguous()
        for index, image in zip(batch.indices.tolist(), batch.images, strict=True):
            photo = datasets.folder.pil_loader(photos / "train" / images.source.names[index])
            box = Draw(1, 2).box(index, photo.height, photo.width)
            part = F.resized_crop(photo, box.top, box.left, box.height, box.width, [48, 48])
            assert torch.equal(image, entering(F.hflip(part) if box.flip else part))
            flips.add(box.flip)
    assert flips == {False, True}


def test_an_epoch_is_the_same_by_any_number_of_threads_processes_and_after_a_resume(
    images: Images,
) -> None:
    expected = facts(epoch(images))
    assert [len(indices) for indices, _, _ in expected] == [8, 8, 4]
    assert facts(epoch(images, threads=1)) == facts(epoch(images, threads=5)) == expected
    assert facts(epoch(images, first_batch=1)) == expected[1:]
    shares = [facts(epoch(images, rank=rank, world=8)) for rank in range(8)]
    for number, whole in enumerate(expected):
        parts = [share[number] for share in shares]
        assert [index for indices, _, _ in parts for index in indices] == whole[0]
        assert b"".join(image for _, _, image in parts) == whole[2]


def test_labels_go_with_their_images(images: Images) -> None:
    for batch in epoch(images):
        folders = [images.source.names[index][:9] for index in batch.indices.tolist()]
        assert batch.labels.tolist() == [WNIDS.index(folder) for folder in folders]


def test_an_evaluation_takes_the_centre_as_torchvision_does(photos: Path) -> None:
    """48 · 8/7 is 55 in whole pixels."""
    test = open_training(photos, size=48).test
    assert test is not None
    steps = transforms.Compose([transforms.Resize(55), transforms.CenterCrop(48), *PLAIN])
    batches = list(eval_batches(test, LOOK, batch_size=4, threads=2))
    assert [batch.indices.tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5]]
    for batch in batches:
        for index, image in zip(batch.indices.tolist(), batch.images, strict=True):
            photo = datasets.folder.pil_loader(photos / "val" / test.source.names[index])
            assert torch.equal(image, steps(photo))


def test_without_augmentation_training_sees_what_an_evaluation_sees(images: Images) -> None:
    look = dataclasses.replace(LOOK, train="none")
    evaluated = torch.cat([batch.images for batch in eval_batches(images, look, batch_size=9)])
    for batch in epoch_batches(images, look, seed=1, epoch=1, batch_size=8):
        assert torch.equal(batch.images, evaluated[batch.indices])


def test_held_images_can_be_resized_too() -> None:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8, generator=generator)
    held = held_images("held", [0] * 6, pixels)
    [batch] = eval_batches(held, Look(70, MEAN, STD), batch_size=6)
    assert batch.images.shape == (6, 3, 70, 70)
    steps = transforms.Compose([transforms.Resize(80), transforms.CenterCrop(70), *PLAIN])
    image = Image.fromarray(pixels[4].permute(1, 2, 0).contiguous().numpy())
    assert torch.equal(batch.images[4], steps(image))


def test_crop_and_flip_of_images_too_many_to_hold_is_that_of_held_ones() -> None:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (20, 3, 32, 32), dtype=torch.uint8, generator=generator)
    held = held_images("held", [0] * 20, pixels)
    read = dataclasses.replace(held, pixels=None)
    for train in ("crop and flip", "none"):
        look = Look(32, MEAN, STD, train=train)
        both = [
            facts(list(epoch_batches(images, look, seed=1, epoch=2, batch_size=8)))
            for images in (held, read)
        ]
        assert both[0] == both[1]
    evaluated = [facts(list(eval_batches(i, look, batch_size=8))) for i in (held, read)]
    assert evaluated[0] == evaluated[1]


def test_crop_and_flip_of_an_image_of_another_size_names_it(images: Images) -> None:
    with pytest.raises(MicronetError) as caught:
        list(epoch_batches(images, Look(48, MEAN, STD), seed=1, epoch=2, batch_size=8))
    first = int(Draw(1, 2).order(20)[0])
    view = images.source.view(first)
    assert str(caught.value) == (
        f"{images.name}: {images.source.names[first]}: has {view.shape[1]}×{view.shape[0]} pixels,"
        " expected 48×48.\nGet the image again, or take it out of the data set."
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no image", "no image of a known format"),
        (b"", "no image of a known format"),
        (encoded(picture(1), "JPEG")[:-400], "image file is truncated"),
        (None, "No such file or directory"),
    ],
)
def test_an_image_that_cannot_be_read_is_named(
    content: bytes | None, reason: str, photos: Path, images: Images
) -> None:
    """Found where its turn comes; the batches before it are those of a whole data set."""
    expected = facts(epoch(images))
    damaged = int(Draw(1, 2).order(20)[13])
    path = photos / "train" / images.source.names[damaged]
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    batches = epoch_batches(images, LOOK, seed=1, epoch=2, batch_size=8, threads=2)
    assert facts([next(batches)]) == expected[:1]
    with pytest.raises(MicronetError) as caught:
        next(batches)
    assert str(caught.value).startswith(
        f"{photos.name}/train: {path.parent.name}/{path.name}: {reason}"
    )
    assert caught.value.next_step == "Get the image again, or take it out of the data set."


def _counting(started: list[int], gate: threading.Event) -> Any:
    def view(index: int) -> NDArray[np.uint8]:
        gate.wait(5)
        started.append(index)
        return np.full((1, 1, 3), index, np.uint8)

    return view


def _rows(batches: int, size: int) -> Iterator[NDArray[np.int64]]:
    yield from np.arange(batches * size).reshape(batches, size)


def test_one_batch_is_read_ahead_and_no_more() -> None:
    started: list[int] = []
    gate = threading.Event()
    gate.set()
    batches = read_ahead(_rows(9, 4), _counting(started, gate), 3)
    for done in range(1, 5):
        rows, views = next(batches)
        assert [int(view[0, 0, 0]) for view in views] == rows.tolist()
        _settle(started, 4 * (done + 1))
        assert sorted(started) == list(range(4 * (done + 1)))
    batches.close()  # type: ignore[attr-defined]


def _settle(started: list[int], count: int) -> None:
    """Waits until so many are read, and a little for those that should not be."""
    until = time.monotonic() + 5
    while len(started) < count and time.monotonic() < until:
        time.sleep(0.001)
    time.sleep(0.02)


def test_who_stops_asking_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    started: list[int] = []
    gate = threading.Event()
    gate.set()
    batches = read_ahead(_rows(50, 4), _counting(started, gate), 3)
    next(batches)
    assert threading.active_count() > before
    batches.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
    assert len(started) <= 8
