"""What happens to the pixels of training images before they are normalised: crops and flips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image
from torchvision.transforms import functional as F

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from micronet.training.data.draws import Box, Crops

PADDING: Final = 4  # black pixels on each side, of which a crop of the old size is taken
PLACES: Final = 2 * PADDING + 1


def cropped(
    images: NDArray[np.uint8], indices: NDArray[np.int64], crops: Crops
) -> NDArray[np.uint8]:
    """RandomCrop(size, padding=4) and a flip of ``images`` [n, 3, h, w], each by its index's draw."""
    count, colours, height, width = images.shape
    frame = np.zeros((count, colours, height + 2 * PADDING, width + 2 * PADDING), np.uint8)
    frame[:, :, PADDING:-PADDING, PADDING:-PADDING] = images
    windows = sliding_window_view(frame, (height, width), axis=(2, 3))
    made = np.empty_like(images)
    flips = crops.flips[indices]
    for flip in (False, True):
        of = np.flatnonzero(flips == flip)
        taken = windows[of, :, crops.tops[indices[of]], crops.lefts[indices[of]]]
        made[of] = taken[..., ::-1] if flip else taken
    return made


def boxed(image: NDArray[np.uint8], box: Box, size: int) -> NDArray[np.uint8]:
    """The box of ``image`` [h, w, 3] at ``size`` × ``size``, as PIL resizes, and a flip."""
    part = F.resized_crop(
        *(Image.fromarray(image), box.top, box.left, box.height, box.width, [size, size])
    )
    made: NDArray[np.uint8] = np.asarray(part)
    return made[:, ::-1] if box.flip else made
