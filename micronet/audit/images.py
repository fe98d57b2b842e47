"""Real images for the audit: a few of a data set, as the network sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from micronet.errors import MicronetError
from micronet.evaluation.data.open import open_dataset
from micronet.evaluation.pixels import REFERENCE, UnreadableError, normalised, pixels
from micronet.evaluation.preprocessing import chosen_preprocessing
from micronet.evaluation.run import warnings_of_pillow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

    from micronet.checkpoints.loaded import LoadedTarget


def images(loaded: LoadedTarget, data: Path, count: int) -> Iterator[Tensor]:
    """``count`` images of ``data`` (all, if it has fewer), each [1, 3, height, width].

    Preprocessed as ``evaluate`` does by default. They are spread evenly over the data set, whose order
    is that of the names: the first ones would all be of one class. The choice is always the same.
    Raises MicronetError if ``data`` is no data set, or an image cannot be read.
    """
    look, _ = chosen_preprocessing(loaded)
    dataset = open_dataset(data.expanduser())
    total = len(dataset.examples)
    count = min(count, total)
    floats = (each.dtype for each in loaded.model.parameters() if each.is_floating_point())
    dtype = next(floats, torch.float32)
    for number in range(count):
        index = number * total // count
        with warnings_of_pillow():
            try:
                image = pixels(dataset.read(index), look, REFERENCE)
            except (UnreadableError, OSError) as error:
                raise MicronetError(
                    f"{dataset.examples[index].name}: cannot be read as an image: {error}."
                ) from error
        yield normalised([image], look).contiguous().to(dtype)
