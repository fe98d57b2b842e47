"""Decode all of a folder's small images into one array, or take them from the cache."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from micronet.training.data import cache
from micronet.training.data.images import Images, Source, held_images

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from micronet.evaluation.data.dataset import Example

MAX_HELD_BYTES: Final = 4 * 2**30  # what does not fit is read one by one
_CHUNK: Final = 250
_MOST_THREADS: Final = 4  # most of a small image's time is Python's, which threads do not share


def hold(
    root: Path,
    source: Source,
    examples: Sequence[Example],
    size: int,
    progress: Callable[[int], None],
) -> Images:
    """The images of ``source``, files ``examples`` under ``root``, with their pixels in memory.

    ``progress`` hears how many are decoded. MicronetError naming an image that is unreadable or
    not ``size`` × ``size``.
    """
    shape = (len(examples), 3, size, size)
    path = cache.cache_path(root, examples)
    held = None if path is None else cache.load(path, shape)
    if held is None:
        held = np.empty(shape, np.uint8)
        _decode(source, held, progress)
        if path is not None:
            cache.store(path, held)
    labels = [example.label for example in examples]
    return held_images(source.name, labels, torch.from_numpy(held), source.names)


def _decode(source: Source, held: NDArray[np.uint8], progress: Callable[[int], None]) -> None:
    count, size = len(held), held.shape[2]

    def fill(start: int) -> int:
        stop: int = min(start + _CHUNK, count)
        for index in range(start, stop):
            held[index] = source.square(index, size).transpose(2, 0, 1)
        return stop

    pool = ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS), "images")
    try:
        for done in pool.map(fill, range(0, count, _CHUNK)):
            progress(done)
    finally:
        pool.shutdown(cancel_futures=True)
