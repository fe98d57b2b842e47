"""The images of a benchmark: some of a folder's, as they are or made as large as ImageNet's."""
# ruff: noqa: INP001  # a script's helper

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
WIDTH, HEIGHT = 500, 375
QUALITY = 95
HOW = f"encoded anew as {WIDTH}×{HEIGHT} at quality {QUALITY} with grain"
GRAIN = 8.0  # of 255: enlarged photographs are smooth, and would compress to 70 kB instead of 110


@dataclass(frozen=True)
class Pictures:
    """How many images there are, and their mean size."""

    images: int
    kilobytes: float
    pixels: float


def lay_out(data: Path, folder: Path, count: int | None, *, enlarged: bool) -> Pictures:
    """Put ``count`` images of ``data`` (class folders, or a folder with val/) into ``folder``.

    They are spread evenly. With ``enlarged`` they are encoded anew, 500×375 with grain; else copied.
    """
    root = data / "val" if (data / "val").is_dir() else data
    found = sorted(each for each in root.glob("*/*") if each.suffix.lower() in SUFFIXES)
    if not found:
        raise SystemExit(f"{root}: expected class folders with images, found none.")
    wanted = min(count or len(found), len(found))
    chosen = [found[len(found) * place // wanted] for place in range(wanted)]
    size_bytes = pixels = 0
    for place, source in enumerate(chosen):
        target = folder / source.parent.name / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if enlarged:
            target = target.with_suffix(".jpg")
            target.write_bytes(_enlarged(source, place))
        else:
            shutil.copyfile(source, target)
        size_bytes += target.stat().st_size
        with Image.open(target) as image:
            pixels += image.width * image.height
    return Pictures(wanted, size_bytes / 1000 / wanted, pixels / wanted)


def _enlarged(source: Path, seed: int) -> bytes:
    with Image.open(source) as image:
        plain = image.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    grain = np.random.default_rng(seed).normal(0, GRAIN, (HEIGHT, WIDTH, 1))
    grainy = (np.asarray(plain) + grain).round().clip(0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(grainy).save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
