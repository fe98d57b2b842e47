"""Pictures made up from a seed: whole ones, and folders of them by class."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path


def picture(seed: int, width: int = 40, height: int = 48) -> Image.Image:
    """Coarse blocks of colour under fine noise, so that every network has something to see."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    coarse = np.asarray(Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST))
    noise = random.integers(-40, 41, coarse.shape)
    return Image.fromarray(np.clip(coarse.astype(np.int64) + noise, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **settings: Any) -> bytes:
    """``image`` as a file of this format."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def class_folders(root: Path, images: int, classes: int = 10) -> Path:
    """PNG pictures of different sizes, dealt out to folders "0", "1", …"""
    for index in range(images):
        folder = root / str(index % classes)
        folder.mkdir(parents=True, exist_ok=True)
        image = picture(index, width=32 + index % 7, height=32 + index % 5)
        (folder / f"{index:04d}.png").write_bytes(encoded(image, "PNG"))
    return root
