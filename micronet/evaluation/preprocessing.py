"""Which preprocessing belongs to a target: its card's, torchvision's, or ImageNet's habit.

Accuracy is measured on the input that the costs are counted for, so the preprocessing has to end in
the network's own height and width.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.card import Preprocessing
from micronet.checkpoints.card_schema import INTERPOLATIONS, MAX_PIXELS, step_problems
from micronet.checkpoints.published import crop_pixels, entries, entry_of
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

    from micronet.checkpoints.loaded import LoadedTarget

SMALL_PIXELS: Final = 64  # CIFAR's 32 and Tiny ImageNet's 64 are evaluated as they are
# Mean and deviation of ImageNet's training images, as everybody rounds them.
_HABIT: Final = Preprocessing(256, 224, "bilinear", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_SIZE: Final = re.compile(r"(\d{1,5})(?:x(\d{1,5}))?", re.ASCII)
_NONE: Final = "none"
_MOST_SIDES: Final = {"resize": 2, "crop": 1}


def chosen_preprocessing(
    loaded: LoadedTarget,
    *,
    resize: str | None = None,
    crop: str | None = None,
    interpolation: str | None = None,
) -> tuple[Preprocessing, str]:
    """The preprocessing of ``loaded`` with the user's options on top, and where it comes from.

    ``resize`` is "256" (the shorter side), "224x224" (height and width of the whole image) or
    "none", ``crop`` "224" or "none". MicronetError if an option is no such text, if the steps
    contradict each other, or if they do not end in the network's height and width.
    """
    height, width = _input_pixels(loaded)
    look, source = _own(loaded, height, width)
    options = {"resize": resize, "crop": crop, "interpolation": interpolation}
    given = {name: text for name, text in options.items() if text is not None}
    if given:
        look = _with_options(look, given)
        source += f" + options {', '.join(f'{name}={text}' for name, text in given.items())}"
    problems = step_problems(resize=look.resize, crop=look.crop, interpolation=look.interpolation)
    problems = problems or _size_problems(look, height, width)
    if problems:
        raise MicronetError(
            f"The preprocessing of {loaded.name} ({source}) does not fit: {'; '.join(problems)}.",
            f"The whole image, squashed: --resize {height}x{width} --crop none",
        )
    return look, source


def _input_pixels(loaded: LoadedTarget) -> tuple[int, int]:
    shape = tuple(loaded.inputs.shape)
    if len(shape) != 4 or shape[:2] != (1, 3):  # [one, colours, height, width]
        raise MicronetError(f"{loaded.name} takes an input of {list(shape)}, not one colour image.")
    return shape[2], shape[3]


def _own(loaded: LoadedTarget, height: int, width: int) -> tuple[Preprocessing, str]:
    if loaded.card is not None and loaded.card.preprocessing is not None:
        return loaded.card.preprocessing, f"card {loaded.card.name}"
    entry = entry_of(loaded.architecture, loaded.sha256)
    known = [entry] if entry is not None else entries(loaded.architecture)
    for each in known:
        if crop_pixels(each) == height == width:
            return _published(each), f"torchvision {each}{', presumed' * (entry is None)}"
    classifiers = (each for each in known if crop_pixels(each) is not None)
    return _assumed(next(classifiers, None), height, width)


def _assumed(entry: WeightsEnum | None, height: int, width: int) -> tuple[Preprocessing, str]:
    """ImageNet's habit at another size: 256 for 224, colours and interpolation as in ``entry``."""
    look = _HABIT if entry is None else _published(entry)
    colours = f"mean and deviation of {entry or 'ImageNet'}"
    if max(height, width) <= SMALL_PIXELS:
        look = replace(look, resize=None, crop=None, interpolation=_NONE)
        return look, f"assumed: no resize, {colours}"
    if height != width:
        look = replace(look, resize=(height, width), crop=None)
        return look, f"assumed: resize {height}x{width}, {colours}"
    shorter = round(height * 8 / 7)
    look = replace(look, resize=shorter, crop=height)
    return look, f"assumed: resize {shorter}, crop {height}, {colours}"


def _published(entry: WeightsEnum) -> Preprocessing:
    """What torchvision's own transform for these weights does."""
    theirs: Any = entry.transforms()
    size = tuple(theirs.resize_size)
    return Preprocessing(
        resize=size[0] if len(size) == 1 else (size[0], size[1]),
        crop=crop_pixels(entry),
        interpolation=theirs.interpolation.value,
        mean=tuple(theirs.mean),
        std=tuple(theirs.std),
        antialias=bool(theirs.antialias),
    )


def _with_options(look: Preprocessing, given: dict[str, str]) -> Preprocessing:
    if "resize" in given:
        look = _resized(look, _sides("resize", given["resize"]))
    if "crop" in given:
        sides = _sides("crop", given["crop"])
        look = replace(look, crop=sides[0] if sides else None)
    if "interpolation" in given:
        mode = given["interpolation"]
        if mode not in INTERPOLATIONS:
            raise MicronetError(
                f"--interpolation {mode}: expected one of {', '.join(INTERPOLATIONS)}."
            )
        look = replace(look, interpolation=mode)
    return look


def _resized(look: Preprocessing, sides: tuple[int, ...]) -> Preprocessing:
    if not sides:
        return replace(look, resize=None, interpolation=_NONE)
    mode = "bilinear" if look.interpolation == _NONE else look.interpolation
    size = sides[0] if len(sides) == 1 else (sides[0], sides[1])
    return replace(look, resize=size, interpolation=mode)


def _sides(option: str, text: str) -> tuple[int, ...]:
    """The one or two lengths in pixels that ``text`` names; none of them for "none"."""
    if text == _NONE:
        return ()
    found = _SIZE.fullmatch(text)
    sides = tuple(int(side) for side in found.groups() if side is not None) if found else ()
    if not sides or len(sides) > _MOST_SIDES[option]:
        form = "256, 224x224 (height x width) or none" if option == "resize" else "224 or none"
        raise MicronetError(f"--{option} {text}: expected {form}.")
    if not all(1 <= side <= MAX_PIXELS for side in sides):
        raise MicronetError(f"--{option} {text}: expected 1 to {MAX_PIXELS} pixels.")
    return sides


def _size_problems(look: Preprocessing, height: int, width: int) -> list[str]:
    """How the result is not ``height`` × ``width``, as far as that does not depend on the image."""
    if look.crop is not None:
        ends = (look.crop, look.crop)
    elif isinstance(look.resize, tuple):
        ends = look.resize
    elif look.resize is not None and (height != width or look.resize != height):
        return [f"resize {look.resize} without crop, but the network takes {height}x{width}"]
    else:
        return []  # square images of the right size fit
    if ends == (height, width):
        return []
    return [f"it ends in {ends[0]}x{ends[1]} pixels, the network takes {height}x{width}"]
