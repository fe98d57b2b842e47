"""Batches of an epoch, the same ones on every machine, however many processes share them.

The order of an epoch depends on (seed, epoch), what is done to an image on (seed, epoch, image):
never on batch size, processes, where a run was resumed, or torch's or numpy's own generators. The
last batch is not filled up. ``shares`` says how processes share a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from micronet.checkpoints.card import Preprocessing
from micronet.errors import MicronetError
from micronet.training.data.augment import PLACES, cropped
from micronet.training.data.draws import Draw
from micronet.training.data.reading import read_ahead
from micronet.training.data.shares import Share
from micronet.training.data.views import Boxed, Cropped, Evaluated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from micronet.training.data.draws import Crops
    from micronet.training.data.images import Images

    Rows = Iterator[NDArray[np.int64]]

CROP_AND_FLIP: Final = "crop and flip"
RESIZED_CROP_AND_FLIP: Final = "resized crop and flip"
NONE: Final = "none"
KINDS: Final = (CROP_AND_FLIP, RESIZED_CROP_AND_FLIP, NONE)


@dataclass(frozen=True)
class Look:
    """What enters the network: ``size`` × ``size`` pixels, of which mean and std are 0 to 1.

    ``train`` is what training images go through: "crop and flip" (four black pixels on each side,
    a crop of the old size, every other one flipped), "resized crop and flip" (torchvision's
    RandomResizedCrop, scale 0.08 to 1, ratio 3:4 to 4:3, bilinear), or "none".
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    train: str = CROP_AND_FLIP

    def __post_init__(self) -> None:
        if self.train not in KINDS:
            raise MicronetError(f"'{self.train}': expected one of {', '.join(KINDS)}.")

    @property
    def evaluation(self) -> Preprocessing:
        """How an image of another size is evaluated: the shorter side to 8/7, then the centre."""
        return Preprocessing(round(self.size * 8 / 7), self.size, "bilinear", self.mean, self.std)


@dataclass(frozen=True, eq=False)
class Batch:
    """``images`` float32 [n, 3, size, size], normalised; ``labels`` and ``indices`` int64 [n].

    ``indices`` are positions in the data set.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor


def batches_in(count: int, batch_size: int) -> int:
    """How many batches ``count`` images make; the last one may be short."""
    return -(-count // batch_size)


def epoch_batches(
    images: Images,
    look: Look,
    *,
    seed: int,
    epoch: int,
    batch_size: int,
    rank: int = 0,
    world: int = 1,
    first_batch: int = 0,
    threads: int = 1,
) -> Iterator[Batch]:
    """The batches of an epoch from ``first_batch`` on, shuffled and augmented.

    ``batch_size`` is that of all ``world`` processes together. Images that are not held are read by
    ``threads`` threads, one batch ahead. MicronetError if one cannot be read or does not fit.
    """
    draw = Draw(seed, epoch)
    rows = Share(batch_size, rank, world, first_batch).of(draw.order(images.count))
    if look.train == RESIZED_CROP_AND_FLIP:
        return _read(images, look, rows, Boxed(images.source, look.size, draw), threads)
    crops = draw.crops(images.count, PLACES) if look.train == CROP_AND_FLIP else None
    if _fit(images, look):
        return _held(images, look, rows, crops)
    if crops is not None:
        return _read(images, look, rows, Cropped(images.source, look.size, crops), threads)
    return _read(images, look, rows, Evaluated(images.source, look.evaluation), threads)


def eval_batches(
    images: Images,
    look: Look,
    *,
    batch_size: int,
    rank: int = 0,
    world: int = 1,
    threads: int = 1,
) -> Iterator[Batch]:
    """All images in order, as an evaluation sees them; otherwise as ``epoch_batches``."""
    rows = Share(batch_size, rank, world).of(np.arange(images.count))
    if _fit(images, look):
        return _held(images, look, rows, None)
    return _read(images, look, rows, Evaluated(images.source, look.evaluation), threads)


def _fit(images: Images, look: Look) -> bool:
    """Whether the pixels are held, and enter without another size."""
    return images.pixels is not None and images.pixels.shape[2:] == (look.size, look.size)


def _held(images: Images, look: Look, rows: Rows, crops: Crops | None) -> Iterator[Batch]:
    assert images.pixels is not None  # noqa: S101 - they fit
    for taken in rows:
        raw = images.pixels[torch.from_numpy(taken)]
        if crops is not None:
            raw = torch.from_numpy(cropped(raw.numpy(), taken, crops))
        yield _batch(images, look, taken, raw)


def _read(
    images: Images,
    look: Look,
    rows: Rows,
    view: Callable[[int], NDArray[np.uint8]],
    threads: int,
) -> Iterator[Batch]:
    for taken, views in read_ahead(rows, view, threads):
        raw = np.empty((len(taken), 3, look.size, look.size), np.uint8)
        for row, made in enumerate(views):
            raw[row] = made.transpose(2, 0, 1)
        yield _batch(images, look, taken, torch.from_numpy(raw))


def _batch(images: Images, look: Look, taken: NDArray[np.int64], raw: Tensor) -> Batch:
    """Bit-equal to ToTensor and Normalize."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (look.mean, look.std))
    indices = torch.from_numpy(taken.copy())
    made = raw.to(torch.float32).div_(255).sub_(mean).div_(std)
    return Batch(made, images.labels[indices], indices)
