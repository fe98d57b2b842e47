"""One image at a time, uint8 [size, size, 3], as it enters the network before it is normalised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from micronet.evaluation.preprocessing import SMALL_PIXELS
from micronet.training.data.augment import boxed, cropped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from micronet.checkpoints.card import Preprocessing
    from micronet.training.data.draws import Crops, Draw
    from micronet.training.data.images import Source


@dataclass(frozen=True)
class Evaluated:
    """As an evaluation sees it: resized and cropped by ``look``, whose crop is the size.

    Small networks take images that fit as they are.
    """

    source: Source
    look: Preprocessing

    def __call__(self, index: int) -> NDArray[np.uint8]:
        """Image ``index``."""
        size = self.look.crop
        if size is not None and size <= SMALL_PIXELS:
            view = self.source.view(index)
            if (view.shape[0], view.shape[1]) == (size, size):
                return view
        return self.source.view(index, self.look)


@dataclass(frozen=True)
class Cropped:
    """Crop and flip of an image that is ``size`` × ``size`` already."""

    source: Source
    size: int
    crops: Crops

    def __call__(self, index: int) -> NDArray[np.uint8]:
        """Image ``index``."""
        view = self.source.square(index, self.size)
        made = cropped(view.transpose(2, 0, 1)[None], np.array([index]), self.crops)
        return np.moveaxis(made[0], 0, 2)


@dataclass(frozen=True)
class Boxed:
    """Resized crop and flip."""

    source: Source
    size: int
    draw: Draw

    def __call__(self, index: int) -> NDArray[np.uint8]:
        """Image ``index``."""
        view = self.source.view(index)
        height, width, _ = view.shape
        return boxed(view, self.draw.box(index, height, width), self.size)
