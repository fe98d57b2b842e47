"""Decoded pixels of small images, kept between runs: one .npy file a folder in the user's cache."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from micronet.checkpoints.atomic import write_bytes
from micronet.errors import MicronetError
from micronet.evaluation.data.files import name_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from micronet.evaluation.data.dataset import Example

FEW: Final = 1000  # as many images are decoded in no time


def cache_path(root: Path, examples: Sequence[Example]) -> Path | None:
    """Where the pixels belong that the files under ``root`` have now.

    By the folder's path, and each file's name, size and times. None for few images, and where a
    file or the cache cannot be found.
    """
    if len(examples) < FEW:
        return None
    digest = hashlib.sha256()
    try:
        for example in examples:
            found = os.stat(f"{root}/{example.name}")  # noqa: PTH116 - thousands of names
            name = name_bytes(example.name)
            times = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, len(name))
            digest.update(b"%d %d %d %d " % times + name)
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except (OSError, RuntimeError):
        return None
    owner = hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:16]
    return folder / "micronet" / "pixels" / f"{owner}-{digest.hexdigest()[:32]}.npy"


def load(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """The pixels if the file holds exactly such ones, else None; mapped, so processes share them.

    The map is private: what is written to it does not reach the file. The file is never changed in
    place, only replaced.
    """
    try:
        stored = np.lib.format.open_memmap(path, mode="c")
    except (OSError, ValueError, OverflowError):
        return None
    if stored.shape != shape or stored.dtype != np.uint8 or not stored.flags.c_contiguous:
        return None
    return stored.view(np.ndarray)


def store(path: Path, held: NDArray[np.uint8]) -> None:
    """Keep the pixels, and no older ones of the same folder; without a word where that fails."""
    buffer = io.BytesIO()
    np.save(buffer, held, allow_pickle=False)
    with contextlib.suppress(MicronetError):
        write_bytes(path, buffer.getbuffer())
        owner = path.name.partition("-")[0]
        for older in path.parent.glob(f"{owner}-*.npy"):
            if older != path:
                with contextlib.suppress(OSError):
                    older.unlink()
