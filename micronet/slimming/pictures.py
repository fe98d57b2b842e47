"""The first images of a folder as inputs, prepared as the network is evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from PIL import Image, UnidentifiedImageError
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from micronet.checkpoints.factory import TORCHVISION
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from micronet.checkpoints.target import LoadedTarget

IMAGES: Final = 8
_SUFFIXES: Final = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm"))
_IMAGE_DIMENSIONS: Final = 4  # [1, 3, height, width]
_IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION: Final = (0.229, 0.224, 0.225)


def pictures(loaded: LoadedTarget, folder: Path) -> list[Tensor]:
    """The first ``IMAGES`` image files under ``folder``, in the order of their paths.

    They are prepared as the card says, else as torchvision evaluates the architecture, else by
    ImageNet's habit: the shorter side to 8/7 of the input, the centre, mean and deviation of ImageNet.
    """
    shape = loaded.inputs.shape
    if len(shape) != _IMAGE_DIMENSIONS or tuple(shape[:2]) != (1, 3):
        raise MicronetError(
            f"{loaded.name} takes an input of {list(shape)}, not one colour image.",
            "Leave --data out: random inputs are compared in any case.",
        )
    if not folder.is_dir():
        raise MicronetError(f"{folder}: is not a folder of images.")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)[:IMAGES]
    if not found:
        raise MicronetError(f"{folder}: holds no image file ({', '.join(sorted(_SUFFIXES))}).")
    prepare = preprocessing(loaded)
    return [_read(path, prepare) for path in found]


def _read(path: Path, prepare: Callable[[Image.Image], Tensor]) -> Tensor:
    try:
        with Image.open(path) as image:
            return prepare(image.convert("RGB"))[None]
    except (OSError, UnidentifiedImageError, ValueError) as error:
        raise MicronetError(f"{path}: is not an image that can be read.") from error


def preprocessing(loaded: LoadedTarget) -> Callable[[Image.Image], Tensor]:
    """From an image to the network's input, without the batch dimension."""
    height, width = loaded.inputs.shape[2:]
    look = None if loaded.card is None else loaded.card.preprocessing
    resize: int | tuple[int, int] = round(min(height, width) * 8 / 7)
    mode = "bilinear"
    mean: tuple[float, ...] = _IMAGENET_MEAN
    std: tuple[float, ...] = _IMAGENET_DEVIATION
    if look is not None:
        resize, mean, std = look.resize, look.mean, look.std
        mode = mode if look.interpolation == "none" else look.interpolation
    elif loaded.architecture.startswith(TORCHVISION):
        theirs = _torchvision(loaded.architecture.removeprefix(TORCHVISION))
        if getattr(theirs, "crop_size", None) == [height] == [width]:
            return theirs  # type: ignore[no-any-return]  # a transform that torchvision does not type
    steps = [
        transforms.Resize(resize, InterpolationMode(mode)),
        transforms.CenterCrop((height, width)),
        transforms.ToTensor(),
        transforms.Normalize(mean, std),
    ]
    return transforms.Compose(steps)  # type: ignore[no-any-return]


def _torchvision(name: str) -> Any:
    """The preprocessing that torchvision publishes with the first weights of ``name``, if any."""
    from torchvision import models

    try:
        return next(iter(models.get_model_weights(name))).transforms()
    except (ValueError, StopIteration):
        return None
