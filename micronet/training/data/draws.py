"""Chance by number: what is drawn depends on seed, epoch and image alone.

The words are those of Philox 4×64, a function of key and counter: the key is (seed, epoch), the
counter says what for. No state is kept and no other generator is touched. Only raw words are used,
which numpy promises never to change, unlike what its generators make of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from micronet.errors import MicronetError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ORDER, _CROPS, _BOXES = 0, 1, 2  # what words are drawn for
_MOST: Final = 2**64 - 1
_TRIES: Final = 10  # of a box that fits, before the centre is taken; so torchvision does
_AREA: Final = (0.08, 1.0)
_RATIO: Final = (3 / 4, 4 / 3)  # of width to height


@dataclass(frozen=True)
class Draw:
    """One epoch of one seed."""

    seed: int
    epoch: int

    def __post_init__(self) -> None:
        for name, value in (("Seed", self.seed), ("Epoch", self.epoch)):
            if not 0 <= value <= _MOST:
                raise MicronetError(f"{name} {value}: expected a whole number from 0 to 2^64 - 1.")

    def _words(self, purpose: int, count: int, image: int = 0) -> NDArray[np.uint64]:
        key = np.array([self.seed, self.epoch], np.uint64)
        counter = np.array([0, image, 0, purpose], np.uint64)
        words: NDArray[np.uint64] = np.random.Philox(key=key, counter=counter).random_raw(count)
        return words

    def order(self, count: int) -> NDArray[np.int64]:
        """The images 0 to ``count`` - 1, shuffled: in the order of a random word for each."""
        return np.argsort(self._words(_ORDER, count), kind="stable")

    def crops(self, count: int, places: int) -> Crops:
        """For each image where its crop begins, among ``places`` down and across, and a flip."""
        words = self._words(_CROPS, 3 * count).reshape(count, 3)
        tops, lefts = (_below(words[:, axis], places) for axis in (0, 1))
        return Crops(tops, lefts, _below(words[:, 2], 2) == 1)

    def box(self, image: int, height: int, width: int) -> Box:
        """The box of RandomResizedCrop for one image, of 8 to 100% of its area, 3:4 to 4:3."""
        words = self._words(_BOXES, 2 * _TRIES + 3, image)
        shares = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53  # from 0 to below 1
        tall, wide = _sides(shares[: 2 * _TRIES].reshape(_TRIES, 2), height, width)
        if (tall, wide) == (0, 0):
            tall, wide = _central(height, width)
            top, left = (height - tall) // 2, (width - wide) // 2
        else:
            top, left = (
                int(_below(words[at : at + 1], room + 1)[0])
                for at, room in ((2 * _TRIES, height - tall), (2 * _TRIES + 1, width - wide))
            )
        return Box(top, left, tall, wide, flip=bool(words[-1] >> np.uint64(63)))


@dataclass(frozen=True)
class Crops:
    """For each image of the data set: first row and column of its crop, and whether it is flipped."""

    tops: NDArray[np.int64]
    lefts: NDArray[np.int64]
    flips: NDArray[np.bool_]


@dataclass(frozen=True)
class Box:
    """A part of an image in pixels, and whether it is flipped."""

    top: int
    left: int
    height: int
    width: int
    flip: bool


def _below(words: NDArray[np.uint64], limit: int) -> NDArray[np.int64]:
    """Numbers from 0 to ``limit`` - 1, of the upper half of each word."""
    return (((words >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32)).astype(np.int64)


def _sides(shares: NDArray[np.float64], height: int, width: int) -> tuple[int, int]:
    """Height and width of the first box that fits, as torchvision finds it; 0, 0 if none does."""
    for of_area, of_ratio in shares:
        area = height * width * (_AREA[0] + of_area * (_AREA[1] - _AREA[0]))
        low, high = math.log(_RATIO[0]), math.log(_RATIO[1])
        ratio = math.exp(low + of_ratio * (high - low))
        tall, wide = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
        if 0 < tall <= height and 0 < wide <= width:
            return tall, wide
    return 0, 0


def _central(height: int, width: int) -> tuple[int, int]:
    """The largest box in an image that is too narrow or too flat."""
    if width / height < _RATIO[0]:
        return round(width / _RATIO[0]), width
    if width / height > _RATIO[1]:
        return height, round(height * _RATIO[1])
    return height, width
