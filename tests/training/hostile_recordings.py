"""Recordings that somebody else made: how they are made, and what is said of them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from micronet.errors import MicronetError
from micronet.training.recording_file import read_recording
from tests.training.recorded import Bench, gates_of

if TYPE_CHECKING:
    from pathlib import Path

Arrays = dict[str, Any]


def content_of_four() -> bytes:
    """A recording of four snapshots; the weights have 108, 600 and 99 entries and keep 83."""
    recorder = Bench(gates_of("two")).begin().epochs(1, 3).recorder
    assert recorder is not None
    return recorder.to_bytes()


def problem(folder: Path, content: bytes) -> str:
    path = folder / "recording.npz"
    path.write_bytes(content)
    with pytest.raises(MicronetError) as caught:
        read_recording(path)
    assert caught.value.next_step
    begin = f"{path}: is not a recording of a run: "
    assert caught.value.message.startswith(begin)
    assert "\n" not in caught.value.message
    return caught.value.message.removeprefix(begin)


def arrays_in(content: bytes) -> Arrays:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def by_numpy(arrays: Arrays) -> bytes:
    page = io.BytesIO()
    np.savez_compressed(page, allow_pickle=True, **arrays)
    return page.getvalue()
