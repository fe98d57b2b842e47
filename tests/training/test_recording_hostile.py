"""A recording that somebody made is read without taking its word: one line says what is wrong."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from micronet.errors import MicronetError
from micronet.training import recording_file
from micronet.training.recording_file import read_recording
from tests.training.hostile_recordings import (
    Arrays,
    arrays_in,
    by_numpy,
    content_of_four,
    problem,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def content() -> bytes:
    return content_of_four()


def test_what_numpy_writes_is_read_too(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "recording.npz").write_bytes(by_numpy(arrays_in(content)))

    assert len(read_recording(tmp_path / "recording.npz")) == 4


def setting(name: str, at: Any, value: Any) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        arrays[name] = arrays[name].copy()
        arrays[name][at] = value

    return change


def replacing(name: str, array: Any) -> Callable[[Arrays], None]:
    return lambda arrays: arrays.update({name: array})


def header(**changes: Any) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        told = {**json.loads(arrays["header"].tobytes()), **changes}
        text = json.dumps({key: value for key, value in told.items() if value is not None})
        arrays["header"] = np.frombuffer(text.encode(), np.uint8)

    return change


def raw_header(text: bytes) -> Callable[[Arrays], None]:
    return replacing("header", np.frombuffer(text, np.uint8))


def weight(**changes: Any) -> Callable[[Arrays], None]:
    first = {"name": "first.weight", "shape": [4, 3, 3, 3], "group": 0, **changes}
    return header(weights=[first])


def entering_again(arrays: Arrays) -> None:
    """The first edge of all enters once more in the snapshot after."""
    rows = arrays["entered/00000"]
    arrays["entered/00001"], arrays["codes/00001"] = rows[:, :1], arrays["codes/00000"][:1]


def leaving_and_entering(arrays: Arrays) -> None:
    entering_again(arrays)
    arrays["left/00001"], arrays["moves/00001"] = np.zeros((1, 1), np.uint8), np.zeros(82, np.uint8)


ODD = "is missing or too much, with 4 snapshots"
IMPOSSIBLE = "the numbers of {}.npy are impossible".format
CHANGES: dict[str, tuple[Callable[[Arrays], object], str]] = {
    "an object": (
        replacing("loss", np.array([None] * 4, object)),
        "loss.npy is no array as numpy writes it",
    ),
    "a pickled header": (
        replacing("header", np.array({"a": 1}, object)),
        "header.npy is no array as numpy writes it",
    ),
    "no column": (lambda arrays: arrays.pop("alive"), "it has no member alive.npy"),
    "no snapshot's edges": (lambda arrays: arrays.pop("left/00002"), f"'left/00002' {ODD}"),
    "one snapshot too much": (
        replacing("moves/00004", np.zeros(83, np.uint8)),
        f"'moves/00004' {ODD}",
    ),
    "another member": (replacing("zebra", np.zeros(1)), f"'zebra' {ODD}"),
    "a shorter column": (
        lambda arrays: arrays.update(loss=arrays["loss"][:3]),
        "loss.npy has the shape (3,), expected (4,)",
    ),
    "a longer column": (
        replacing("loss", np.zeros(1000)),
        "loss.npy has 8,128 bytes, expected at most 32",
    ),
    "another type": (
        replacing("loss", np.zeros(4, np.float32)),
        "loss.npy is <f4 of 1 dimensions, expected <f8 of 1",
    ),
    "another byte order": (
        replacing("loss", np.zeros(4, ">f8")),
        "loss.npy is no array as numpy writes it",
    ),
    "columns first": (
        lambda arrays: arrays.update(largest=np.asfortranarray(arrays["largest"])),
        "largest.npy is no array as numpy writes it",
    ),
    "another number of dimensions": (
        lambda arrays: arrays.update(step=arrays["step"][:, None]),
        "step.npy is <i8 of 2 dimensions, expected <i8 of 1",
    ),
    "thresholds of fewer groups": (
        lambda arrays: arrays.update(thresholds=arrays["thresholds"][:, :1]),
        "thresholds.npy has the shape (4, 1), expected (4, 2)",
    ),
    "steps that go back": (setting("step", 2, 3), IMPOSSIBLE("step")),
    "a step twice": (setting("step", 2, 7), IMPOSSIBLE("step")),
    "a step before the first": (setting("step", 0, -1), IMPOSSIBLE("step")),
    "epochs that go back": (setting("epoch", 3, 1), IMPOSSIBLE("epoch")),
    "an epoch before the first": (setting("epoch", 0, -1), IMPOSSIBLE("epoch")),
    "more right than images": (setting("train_right", 1, 1001), IMPOSSIBLE("train_right")),
    "right without images": (setting("test_right", 1, 0), IMPOSSIBLE("test_right")),
    "fewer right than none": (setting("test_right", 2, -1), IMPOSSIBLE("test_right")),
    "more alive than nodes": (setting("alive", 1, 42), IMPOSSIBLE("alive")),
    "alive below none": (setting("alive", 1, -1), IMPOSSIBLE("alive")),
    "a negative threshold": (setting("thresholds", (1, 1), -0.5), IMPOSSIBLE("thresholds")),
    "an endless threshold": (setting("thresholds", (1, 1), np.inf), IMPOSSIBLE("thresholds")),
    "a negative magnitude": (setting("largest", (1, 1), -0.5), IMPOSSIBLE("largest")),
    "an endless magnitude": (setting("largest", (1, 1), np.inf), IMPOSSIBLE("largest")),
    "a magnitude that is no number": (setting("largest", (1, 1), np.nan), IMPOSSIBLE("largest")),
    "a magnitude beyond float32": (setting("largest", (1, 1), 3.5e38), IMPOSSIBLE("largest")),
    "an edge beyond 32 bits": (
        replacing("entered/00003", np.full((5, 1), 255, np.uint8)),
        "1 gaps of 5 bytes for 807 entries",
    ),
    "an edge of no bytes": (
        replacing("entered/00003", np.zeros((0, 4), np.uint8)),
        "4 gaps of 0 bytes for 807 entries",
    ),
    "more edges than entries": (
        replacing("entered/00003", np.zeros((1, 808), np.uint8)),
        "808 gaps of 1 bytes for 807 entries",
    ),
    "an edge that is there already": (entering_again, "an edge enters that was there already"),
    "an edge that leaves and enters": (
        leaving_and_entering,
        "an edge enters that was there already",
    ),
    "an edge that leaves before there is one": (
        replacing("left/00000", np.zeros((1, 1), np.uint8)),
        "edge 0 leaves, of 0 edges",
    ),
    "an edge that leaves and was never there": (
        replacing("left/00001", np.full((1, 1), 83, np.uint8)),
        "edge 83 leaves, of 83 edges",
    ),
    "too few codes": (
        lambda arrays: arrays.update({"codes/00000": arrays["codes/00000"][:82]}),
        "(82, 0) codes and moves, expected (83, 0)",
    ),
    "too many moves": (
        replacing("moves/00000", np.zeros(1, np.uint8)),
        "(83, 1) codes and moves, expected (83, 0)",
    ),
    "more codes than entries": (
        replacing("codes/00000", np.zeros(5000, np.uint8)),
        "codes/00000.npy has 5,128 bytes, expected at most 807",
    ),
    "a code beyond the largest": (
        setting("codes/00000", 3, 128),
        "a code is -128, expected -127 to 127",
    ),
    "a header that is no text": (raw_header(b"\xff\xfe"), "its header is not JSON"),
    "a header that is no JSON": (raw_header(b"{"), "its header is not JSON"),
    "a header that is deep": (raw_header(b"[" * 100_000), "its header is not JSON"),
    "a header with an endless number": (raw_header(b"1" * 5000), "its header is not JSON"),
    "a header that is no table": (
        raw_header(b"[]"),
        "its schema is '[]', expected 'micronet.recording/1'",
    ),
    "another schema": (
        header(schema="micronet.recording/2"),
        "its schema is 'micronet.recording/2', expected 'micronet.recording/1'",
    ),
    "no seed": (header(seed=None), "its header does not say card, seed and weights"),
    "a seed that is true": (header(seed=True), "its header does not say card, seed and weights"),
    "a card that is a number": (header(card=1), "its header does not say card, seed and weights"),
    "one key more": (header(more=1), "its header does not say card, seed and weights"),
    "weights that are none": (header(weights={}), "its header does not say card, seed and weights"),
    "too many weights": (
        header(weights=[{}] * 10_001),
        "its header does not say card, seed and weights",
    ),
    "a weight without shape": (
        header(weights=[{"name": "first.weight", "group": 0}]),
        "its header has the weight {'name': 'first.weight', 'group': 0}, expected name, shape and group",
    ),
    "a negative length": (weight(shape=[-4, -4]), "its header has the weight"),
    "a length that is true": (weight(shape=[True]), "its header has the weight"),
    "a length of 20 digits": (weight(shape=[10**20]), "its header has the weight"),
    "too many dimensions": (weight(shape=[1] * 9), "its header has the weight"),
    "a negative group": (weight(group=-1), "its header has the weight"),
    "a group of many": (weight(group=10**9), "its header has the weight"),
    "a name that is long": (weight(name="x" * 1001), "its header has the weight"),
    "too many entries": (
        weight(shape=[2**13, 2**13 + 1]),
        "its weights have 67,117,056 entries, at most 67,108,864",
    ),
    "an endless header": (
        replacing("header", np.zeros(2**22 + 200, np.uint8)),
        "header.npy has 4,194,632 bytes, expected at most 4,194,304",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_arrays_that_cannot_be_are_refused(case: str, content: bytes, tmp_path: Path) -> None:
    change, expected = CHANGES[case]
    arrays = arrays_in(content)
    change(arrays)

    assert problem(tmp_path, by_numpy(arrays)).startswith(expected)


def test_an_edge_beyond_the_last_entry_is_refused(content: bytes, tmp_path: Path) -> None:
    """Of 807 entries the last is 806; the gap before a first edge says where it is."""
    arrays = arrays_in(content)
    arrays["codes/00003"] = np.zeros(1, np.uint8)
    arrays["entered/00003"] = np.array([[807 % 256], [807 // 256]], np.uint8)
    assert problem(tmp_path, by_numpy(arrays)) == "an edge at 807 among 807 entries."

    arrays["entered/00003"][0] -= 1
    (tmp_path / "recording.npz").write_bytes(by_numpy(arrays))
    assert read_recording(tmp_path / "recording.npz").edges(3, 2).indices[-1] == 9 * 11 - 1


@pytest.mark.parametrize("name", ["step", "loss", "header", "moves/00003", "entered/00003"])
def test_a_bomb_takes_no_memory(
    name: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """40 kB that would be 32 MB of zeros."""
    bomb = np.zeros(2**25 - 128, np.uint8)
    arrays = arrays_in(content)
    arrays[name] = bomb[None] if name.startswith("entered") else bomb
    bombed = by_numpy(arrays)
    assert len(bombed) < 50_000
    monkeypatch.setattr(recording_file, "MOST_FILE_BYTES", 50_000)  # what a file is read into

    tracemalloc.start()
    told = problem(tmp_path, bombed)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert told.startswith(f"{name}.npy has 33,554,432 bytes, expected at most")
    assert most < 1_000_000


def test_a_folder_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(MicronetError, match="is a folder, expected a file"):
        read_recording(tmp_path)
