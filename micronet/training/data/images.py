"""Labelled images as training sees them: all pixels in memory where they are small, else by file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from PIL import Image

from micronet.checkpoints.card import Preprocessing
from micronet.errors import MicronetError
from micronet.evaluation.data.assemble import fingerprint_of
from micronet.evaluation.data.dataset import Example
from micronet.evaluation.data.files import shown
from micronet.evaluation.pixels import REFERENCE, UnreadableError, pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

AS_IT_IS: Final = Preprocessing(None, None, "none", (), ())


@dataclass(frozen=True)
class Source:
    """Where images come from, called ``name``; ``names`` are those of the images, for messages.

    ``read(i)`` gives image i as encoded bytes or as an RGB image, from many threads at once;
    OSError where it cannot.
    """

    name: str
    names: tuple[str, ...]
    read: Callable[[int], bytes | Image.Image]

    def view(self, index: int, look: Preprocessing = AS_IT_IS) -> NDArray[np.uint8]:
        """Image ``index``, uint8 [height, width, 3]; MicronetError naming it if it is unreadable."""
        try:
            return pixels(self.read(index), look, REFERENCE)
        except OSError as error:
            raise self.refused(index, error.strerror or type(error).__name__) from error
        except UnreadableError as error:
            raise self.refused(index, str(error)) from error

    def square(self, index: int, size: int) -> NDArray[np.uint8]:
        """As ``view``; MicronetError also if the image is not ``size`` × ``size``."""
        view = self.view(index)
        height, width, _ = view.shape
        if (height, width) != (size, size):
            raise self.refused(index, f"has {width}×{height} pixels, expected {size}×{size}")
        return view

    def refused(self, index: int, reason: str) -> MicronetError:
        """What to say of an image without which an epoch would not be what it says it is."""
        return MicronetError(
            f"{self.name}: {shown(self.names[index])}: {reason}.",
            "Get the image again, or take it out of the data set.",
        )


@dataclass(frozen=True, eq=False)
class Images:
    """Images in a fixed order, with ``labels`` int64 [count].

    ``pixels``, uint8 [count, 3, height, width], if all are held in memory. ``fingerprint`` is a
    sha256 of names and labels, and of the pixels where they are held, else of the files' sizes.
    """

    source: Source
    labels: Tensor
    fingerprint: str
    pixels: Tensor | None = None

    @property
    def name(self) -> str:
        """What they are called: "cifar10/train"."""
        return self.source.name

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.labels)


def held_images(
    name: str, labels: Sequence[int], held: Tensor, names: Sequence[str] | None = None
) -> Images:
    """Images held in memory, called "00000", "00001" and so on without ``names``."""
    names = [f"{index:05d}" for index in range(len(labels))] if names is None else names
    pairs = zip(names, labels, strict=True)
    # Not the sizes of their files: CIFAR is the same data set in whatever files it lies.
    fingerprint = fingerprint_of(
        (Example(name, label, 0) for name, label in pairs), held.contiguous().numpy().data
    )
    return Images(Source(name, tuple(names), _Held(held).read), _tensor(labels), fingerprint, held)


def images_by_file(source: Source, examples: Sequence[Example]) -> Images:
    """Images that are read one by one."""
    labels = _tensor([example.label for example in examples])
    return Images(source, labels, fingerprint_of(examples, b""))


@dataclass(frozen=True)
class _Held:
    pixels: Tensor

    def read(self, index: int) -> Image.Image:
        return Image.fromarray(np.ascontiguousarray(self.pixels[index].permute(1, 2, 0).numpy()))


def _tensor(labels: Sequence[int]) -> Tensor:
    return torch.tensor(labels, dtype=torch.int64)
