"""Pictures of 8 × 8 pixels made up from a seed; thousands of them take no time."""

from __future__ import annotations

import random

from PIL import Image

from tests.evaluation.pictures import encoded


def tiny(seed: int, width: int = 8, height: int = 8) -> Image.Image:
    """Noise."""
    content = random.Random(seed).randbytes(3 * width * height)  # noqa: S311 - reproducible pixels
    return Image.frombytes("RGB", (width, height), content)


def tiny_png(seed: int, width: int = 8, height: int = 8) -> bytes:
    """The same as a file."""
    return encoded(tiny(seed, width, height), "PNG")
