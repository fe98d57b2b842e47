"""Chance by number: reproducible to the last bit, and as even as it should be."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torchvision.transforms import RandomResizedCrop, transforms

from micronet.errors import MicronetError
from micronet.training.data.draws import Box, Draw

if TYPE_CHECKING:
    from collections.abc import Callable

SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)


def test_the_order_is_that_of_the_words_of_philox() -> None:
    """The words as numpy's own generator gives them, which is tested against the reference's."""
    words = np.random.Philox(key=[7, 11], counter=[0, 0, 0, 0]).random_raw(20).tolist()
    assert Draw(7, 11).order(20).tolist() == sorted(range(20), key=words.__getitem__)


def test_what_is_drawn_is_this_on_every_machine_and_tomorrow() -> None:
    """A run that goes on after an update of numpy must go on with the same images."""
    draw = Draw(1, 2)
    crops = draw.crops(6, 9)
    assert draw.order(10).tolist() == [4, 2, 0, 6, 1, 5, 9, 8, 7, 3]
    assert crops.tops.tolist() == [5, 8, 2, 2, 4, 0]
    assert crops.lefts.tolist() == [3, 0, 3, 2, 7, 7]
    assert crops.flips.tolist() == [True, False, True, False, True, False]
    assert draw.box(3, 375, 500) == Box(28, 92, 258, 216, flip=False)


def test_order_crops_and_boxes_are_drawn_from_words_of_their_own() -> None:
    draw = Draw(1, 2)
    words = [draw._words(purpose, 30).tolist() for purpose in (0, 1, 2)]
    words += [draw._words(2, 30, image).tolist() for image in (1, 2)]
    drawn = list(itertools.chain.from_iterable(words))
    assert len(set(drawn)) == len(drawn)


def test_an_image_has_its_crop_however_many_others_there_are() -> None:
    few, many = Draw(1, 2).crops(10, 9), Draw(1, 2).crops(1000, 9)
    for part in ("tops", "lefts", "flips"):
        assert getattr(few, part).tolist() == getattr(many, part)[:10].tolist()


def test_every_place_is_drawn_about_as_often_as_every_other() -> None:
    """Of 81,000 crops 500 fall on each of 81 places, flipped and not; the deviation of that is 22."""
    crops = Draw(3, 4).crops(81_000, 9)
    places = np.stack([crops.tops, crops.lefts, crops.flips], axis=1)
    found, counts = np.unique(places, axis=0, return_counts=True)
    assert len(found) == 9 * 9 * 2
    assert 400 < counts.min() <= counts.max() < 600


def test_orders_put_every_image_in_every_place() -> None:
    """Of 6,000 epochs of 4 images 250 have each of the 24 orders; the deviation of that is 15."""
    orders = np.stack([Draw(1, epoch).order(4) for epoch in range(6000)])
    found, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(found) == 24
    assert 190 < counts.min() <= counts.max() < 310


@pytest.mark.parametrize("draw", [(-1, 0), (0, -1), (2**64, 0), (0, 2**64)])
def test_what_is_no_key_is_refused(draw: tuple[int, int]) -> None:
    with pytest.raises(MicronetError, match=r"(Seed|Epoch) \S+: expected a whole number from 0"):
        Draw(*draw)
    assert Draw(2**64 - 1, 2**64 - 1).order(3).tolist() == [0, 1, 2]


def _fake_torch(shares: list[float], words: list[int]) -> SimpleNamespace:
    """What torchvision's get_params uses of torch, on our numbers and in double precision."""
    left, at = iter(shares), iter(words)

    def empty(_: int) -> SimpleNamespace:
        return SimpleNamespace(uniform_=lambda low, high: double(low + next(left) * (high - low)))

    def randint(low: int, high: int, **_: object) -> SimpleNamespace:
        return SimpleNamespace(item=lambda: low + ((next(at) >> 32) * (high - low) >> 32))

    def double(value: Any) -> torch.Tensor:
        return torch.as_tensor(value, dtype=torch.float64)

    return SimpleNamespace(
        empty=empty, randint=randint, tensor=double, log=torch.log, exp=torch.exp
    )


@pytest.mark.parametrize(("height", "width"), [(375, 500), (500, 375), (64, 64), (40, 100), (3, 4)])
def test_a_box_is_what_torchvision_would_take_by_the_same_numbers(
    height: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = Draw(5, 6)
    for image in range(100):
        words = draw._words(2, 23, image).tolist()
        shares = [(word >> 11) * 2.0**-53 for word in words[:20]]
        monkeypatch.setattr(transforms, "torch", _fake_torch(shares, words[20:22]))
        picture = torch.empty(3, height, width)
        expected = RandomResizedCrop.get_params(picture, list(SCALE), list(RATIO))
        box = draw.box(image, height, width)
        assert (box.top, box.left, box.height, box.width) == expected
        assert box.flip == bool(words[22] >> 63)


@pytest.mark.parametrize(("height", "width"), [(10, 1000), (1000, 10), (2, 90), (90, 2)])
def test_of_a_strip_the_centre_is_taken(height: int, width: int) -> None:
    """Where no box can fit, torchvision draws nothing."""
    expected = RandomResizedCrop.get_params(torch.empty(3, height, width), list(SCALE), list(RATIO))
    box = Draw(1, 2).box(0, height, width)
    assert (box.top, box.left, box.height, box.width) == expected


def test_boxes_lie_within_the_image_and_are_spread_over_it() -> None:
    boxes = [Draw(1, 2).box(image, 300, 400) for image in range(2000)]
    for box in boxes:
        assert 0 <= box.top <= 300 - box.height
        assert 0 <= box.left <= 400 - box.width
        assert 0.07 < box.height * box.width / 120_000 <= 1
        assert 0.73 < box.width / box.height < 1.36
    assert len(set(boxes)) > 1990
    assert 930 < sum(box.flip for box in boxes) < 1070
    spread: dict[str, Callable[[Any], float]] = {
        "top": lambda box: box.top / max(1, 300 - box.height),
        "left": lambda box: box.left / max(1, 400 - box.width),
    }
    for share in spread.values():
        assert 0.47 < sum(map(share, boxes)) / 2000 < 0.53
