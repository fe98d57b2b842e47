"""Batches of held images: whoever makes them, however they are shared, they are the same."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import functional as F

from micronet.errors import MicronetError
from micronet.training.data.batches import Batch, Look, batches_in, epoch_batches, eval_batches
from micronet.training.data.draws import Draw
from micronet.training.data.images import Images, held_images

if TYPE_CHECKING:
    from torch import Tensor

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
LOOK = Look(8, MEAN, STD)
PLAIN = Look(8, MEAN, STD, train="none")


def epoch(images: Images, look: Look = LOOK, **changes: Any) -> list[Batch]:
    return list(epoch_batches(images, look, **{"seed": 1, "epoch": 2, "batch_size": 8, **changes}))


def facts(batches: list[Batch]) -> list[tuple[list[int], list[int], bytes]]:
    """Batches as values that compare with ==."""
    return [
        (batch.indices.tolist(), batch.labels.tolist(), batch.images.numpy().tobytes())
        for batch in batches
    ]


def by_index(batches: list[Batch]) -> dict[int, bytes]:
    return {
        int(index): image.numpy().tobytes()
        for batch in batches
        for index, image in zip(batch.indices, batch.images, strict=True)
    }


def as_picture(images: Images, index: int) -> Image.Image:
    assert images.pixels is not None
    return Image.fromarray(images.pixels[index].permute(1, 2, 0).contiguous().numpy())


def entering(image: Image.Image) -> Tensor:
    """What torchvision makes of it."""
    steps = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    made: Tensor = transforms.Compose(steps)(image)
    return made


@pytest.mark.parametrize(
    ("count", "batch_size", "batches"), [(30, 8, 4), (32, 8, 4), (33, 8, 5), (0, 8, 0), (3, 8, 1)]
)
def test_the_last_batch_counts_though_it_is_short(
    count: int, batch_size: int, batches: int
) -> None:
    assert batches_in(count, batch_size) == batches


def test_an_epoch_shows_each_image_once_with_its_label_in_batches_of_one_size_but_the_last(
    thirty: Images,
) -> None:
    batches = epoch(thirty)
    assert [len(batch.indices) for batch in batches] == [8, 8, 8, 6]
    shown = [int(index) for batch in batches for index in batch.indices]
    assert shown != sorted(shown)
    assert sorted(shown) == list(range(30))
    for batch in batches:
        assert batch.labels.tolist() == [int(index) % 7 for index in batch.indices]


def test_a_batch_is_float32_in_plain_memory(thirty: Images) -> None:
    for batch in (*epoch(thirty), *epoch(thirty, PLAIN), *eval_batches(thirty, LOOK, batch_size=8)):
        assert batch.images.shape == (len(batch.indices), 3, 8, 8)
        assert batch.images.dtype == torch.float32
        assert batch.images.is_contiguous()
        assert (batch.labels.dtype, batch.indices.dtype) == (torch.int64, torch.int64)


@pytest.mark.parametrize("look", [LOOK, PLAIN, Look(8, MEAN, STD, train="resized crop and flip")])
@pytest.mark.parametrize("world", [2, 4, 8])
def test_the_shares_of_all_processes_one_after_the_other_are_the_batch_of_one(
    world: int, look: Look, thirty: Images
) -> None:
    ranks = [epoch(thirty, look, rank=rank, world=world) for rank in range(world)]
    together = [
        Batch(*(torch.cat([getattr(share, part) for share in shares]) for part in vars(shares[0])))
        for shares in zip(*ranks, strict=True)
    ]
    assert facts(together) == facts(epoch(thirty, look))


def test_a_short_batch_is_shared_as_evenly_as_it_can_be_and_every_process_steps_along(
    thirty: Images,
) -> None:
    """30 images are 3 batches of 8, and one of 6."""
    shares = {
        (rank, world): [len(batch.images) for batch in epoch(thirty, look, rank=rank, world=world)]
        for look in (LOOK, PLAIN)
        for world in (4, 8)
        for rank in range(world)
    }
    assert [shares[rank, 4] for rank in range(4)] == [
        *([2, 2, 2, 1], [2, 2, 2, 2], [2, 2, 2, 1], [2, 2, 2, 2])
    ]
    assert [shares[rank, 8][-1] for rank in range(8)] == [0, 1, 1, 1, 0, 1, 1, 1]


def test_batches_that_cannot_be_dealt_out_evenly_are_refused(thirty: Images) -> None:
    with pytest.raises(MicronetError) as caught:
        epoch(thirty, world=3)
    assert str(caught.value) == (
        "Batches of 8 images cannot be dealt out to 3 processes.\n"
        "Give a batch size that is a multiple of the number of processes."
    )
    with pytest.raises(MicronetError, match="Batches of 0 images: expected 1 or more"):
        eval_batches(thirty, LOOK, batch_size=0)


@pytest.mark.parametrize("beyond", [{"rank": 2, "world": 2}, {"rank": -1}, {"first_batch": -1}])
def test_a_process_that_is_not_one_of_them_is_a_mistake_of_ours(
    beyond: dict[str, Any], thirty: Images
) -> None:
    with pytest.raises(ValueError, match="Share"):
        epoch(thirty, **beyond)


@pytest.mark.parametrize("first", range(5))
def test_an_epoch_that_is_resumed_goes_on_as_it_would_have(first: int, thirty: Images) -> None:
    assert facts(epoch(thirty, first_batch=first)) == facts(epoch(thirty)[first:])
    shared: dict[str, Any] = {"rank": 1, "world": 2}
    resumed = epoch(thirty, first_batch=first, **shared)
    assert facts(resumed) == facts(epoch(thirty, **shared)[first:])


def test_what_is_done_to_an_image_does_not_depend_on_its_batch(thirty: Images) -> None:
    expected = by_index(epoch(thirty))
    assert by_index(epoch(thirty, batch_size=5)) == expected
    assert by_index(epoch(thirty, batch_size=1)) == expected
    assert by_index(epoch(thirty, PLAIN)) != expected


def test_the_order_depends_on_seed_and_epoch_only(thirty: Images) -> None:
    def order(**changes: Any) -> list[int]:
        return [int(index) for batch in epoch(thirty, **changes) for index in batch.indices]

    assert order(batch_size=5) == order()
    assert order(seed=2) != order()
    assert order(epoch=3) != order()
    assert order(seed=2, epoch=1) != order()


def test_what_is_done_to_an_image_depends_on_seed_and_epoch(thirty: Images) -> None:
    expected = by_index(epoch(thirty))
    for seed, number in ((2, 2), (1, 3), (2, 1)):
        other = by_index(epoch(thirty, seed=seed, epoch=number))
        assert sum(other[index] != expected[index] for index in expected) > 25


def _numpy_state() -> str:
    return str(np.random.get_state(legacy=False))  # noqa: NPY002


def test_no_other_generator_is_used_or_moved(thirty: Images) -> None:
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - the one that others use
        random.seed(seed)
        before = torch.get_rng_state(), _numpy_state(), random.getstate()
        found.append(facts(epoch(thirty)))
        look = Look(8, MEAN, STD, train="resized crop and flip")
        found[-1] += facts(epoch(thirty, look))
        assert torch.equal(torch.get_rng_state(), before[0])
        assert _numpy_state() == before[1]
        assert random.getstate() == before[2]
    assert found[0] == found[1]


def test_crop_and_flip_are_those_of_torchvision_at_the_places_that_were_drawn(
    thirty: Images,
) -> None:
    """RandomCrop(size, padding=4) pads the picture, so before it is normalised, with black."""
    crops = Draw(1, 2).crops(30, 9)
    for batch in epoch(thirty):
        for index, image in zip(batch.indices.tolist(), batch.images, strict=True):
            padded = F.pad(as_picture(thirty, index), 4)
            expected = F.crop(padded, int(crops.tops[index]), int(crops.lefts[index]), 8, 8)
            if crops.flips[index]:
                expected = F.hflip(expected)
            assert torch.equal(image, entering(expected))


def test_what_is_padded_is_black_and_not_the_mean() -> None:
    white = held_images("white", [0] * 90, torch.full((90, 3, 8, 8), 255, dtype=torch.uint8))
    black = entering(Image.new("RGB", (8, 8)))
    found = torch.cat([batch.images for batch in epoch(white)])
    assert torch.equal(found.amin(dim=(0, 2, 3)), black.amin(dim=(1, 2)))


def test_without_augmentation_an_image_enters_as_torchvision_gives_it(thirty: Images) -> None:
    for batch in (*epoch(thirty, PLAIN), *eval_batches(thirty, LOOK, batch_size=7)):
        for index, image in zip(batch.indices.tolist(), batch.images, strict=True):
            assert torch.equal(image, entering(as_picture(thirty, index)))


def test_every_value_of_a_pixel_enters_as_torchvision_gives_it() -> None:
    ramp = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    every = held_images("ramp", [0], ramp.contiguous())
    [batch] = eval_batches(every, Look(16, MEAN, STD), batch_size=1)
    assert torch.equal(batch.images[0], entering(as_picture(every, 0)))


def test_an_evaluation_sees_all_images_in_order_and_its_shares_are_the_whole(
    thirty: Images,
) -> None:
    alone = list(eval_batches(thirty, LOOK, batch_size=8))
    assert [batch.indices.tolist() for batch in alone] == [
        *(list(range(start, start + 8)) for start in (0, 8, 16)),
        list(range(24, 30)),
    ]
    shared = [list(eval_batches(thirty, LOOK, batch_size=8, rank=r, world=2)) for r in (0, 1)]
    assert [
        one.indices.tolist() + other.indices.tolist() for one, other in zip(*shared, strict=True)
    ] == [batch.indices.tolist() for batch in alone]


def test_what_is_learned_from_is_not_changed_by_it(thirty: Images) -> None:
    assert thirty.pixels is not None
    before = thirty.pixels.clone()
    for batch in (*epoch(thirty), *epoch(thirty, PLAIN)):
        batch.images.zero_()
        batch.indices.zero_()
        batch.labels.fill_(9)
    assert torch.equal(thirty.pixels, before)
    assert thirty.labels.tolist() == [index % 7 for index in range(30)]


def test_an_augmentation_of_another_name_is_refused() -> None:
    with pytest.raises(MicronetError) as caught:
        Look(8, MEAN, STD, train="cutout")
    assert str(caught.value) == (
        "'cutout': expected one of crop and flip, resized crop and flip, none."
    )
