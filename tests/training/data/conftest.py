"""Small data sets on disk, and a cache folder of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from micronet.training.data.images import Images, held_images
from tests.evaluation.data.conftest import python2_pickle  # noqa: F401 - a fixture
from tests.training.data.tiny import tiny_png

Deal = Callable[[str, int, Sequence[str]], Path]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is looked up or left in the cache of who runs the tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "micronet" / "pixels"


@pytest.fixture
def deal(tmp_path: Path) -> Deal:
    """Writes pictures of 8 × 8 pixels, dealt out to the classes of a split, and gives the root."""

    def write(split: str, images: int, classes: Sequence[str]) -> Path:
        root = tmp_path / "photos"
        for index in range(images):
            path = root / split / classes[index % len(classes)] / f"{index:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tiny_png(index))
        return root

    return write


@pytest.fixture
def thirty() -> Images:
    """Thirty images of 8 × 8 pixels, held in memory."""
    generator = torch.Generator().manual_seed(5)
    pixels = torch.randint(0, 256, (30, 3, 8, 8), dtype=torch.uint8, generator=generator)
    return held_images("thirty", [index % 7 for index in range(30)], pixels)
