"""Event files, read back as tensorboard itself reads them."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from micronet.errors import MicronetError
from micronet.training.job import Epoch
from micronet.training.tensorboard import TensorBoard
from micronet.training.wires import Wires

if TYPE_CHECKING:
    from pathlib import Path

FIRST = Epoch(
    epoch=1,
    step=98,
    learning_rate=0.1,
    loss=1.75,
    right=1,
    images=4,
    seconds=0.5,
    test_right=3,
    test_images=8,
    wires=Wires(kept=32, entered=8, left=9, alive=30, targets=31, thresholds=(0.25, 0.0625)),
)


def epochs(first: int, last: int, loss: float) -> list[Epoch]:
    return [
        replace(FIRST, epoch=number, step=98 * number, loss=loss + number)
        for number in range(first, last + 1)
    ]


def write(folder: Path, told: list[Epoch]) -> None:
    """A start of the run, in a second of its own: files are read in the order of their seconds."""
    pytest.importorskip("tensorboard")
    if list(folder.glob("*")):
        time.sleep(1 - time.time() % 1)
    with TensorBoard(folder) as board:
        for epoch in told:
            board.epoch(epoch)


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulators.EventAccumulator(str(folder)).Reload()
    return {
        tag: [(point.step, point.value) for point in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_every_figure_of_an_epoch_is_a_curve(tmp_path: Path) -> None:
    write(tmp_path, [FIRST])

    assert read(tmp_path) == {
        "loss": [(1, 1.75)],
        "accuracy/train": [(1, 0.25)],
        "accuracy/test": [(1, 0.375)],
        "learning_rate": [(1, float(np.float32(0.1)))],
        "images_per_second": [(1, 8.0)],
        "alive_nodes": [(1, 30.0)],
        "edges_swapped": [(1, 0.25)],
        "threshold/0": [(1, 0.25)],
        "threshold/1": [(1, 0.0625)],
    }


def test_nothing_is_written_of_what_was_not_measured(tmp_path: Path) -> None:
    bare = replace(FIRST, test_right=None, test_images=None, wires=Wires(0, 0, 0, 0, 31, (None,)))
    write(tmp_path, [bare])

    assert set(read(tmp_path)) == {
        *("loss", "accuracy/train", "learning_rate", "images_per_second", "alive_nodes")
    }


def test_an_epoch_can_be_read_while_the_run_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    with TensorBoard(tmp_path) as board:
        board.epoch(FIRST)
        assert read(tmp_path)["loss"] == [(1, 1.75)]


def test_after_a_resume_every_epoch_is_there_once(tmp_path: Path) -> None:
    write(tmp_path, epochs(1, 5, loss=10))
    write(tmp_path, epochs(3, 4, loss=20))
    write(tmp_path, epochs(5, 6, loss=30))

    expected = [(1, 11.0), (2, 12.0), (3, 23.0), (4, 24.0), (5, 35.0), (6, 36.0)]
    assert read(tmp_path)["loss"] == expected
    assert [step for step, _ in read(tmp_path)["threshold/1"]] == [1, 2, 3, 4, 5, 6]


def test_a_run_that_begins_anew_hides_the_one_before(tmp_path: Path) -> None:
    write(tmp_path, epochs(1, 3, loss=10))
    write(tmp_path, epochs(1, 2, loss=20))

    assert read(tmp_path)["loss"] == [(1, 21.0), (2, 22.0)]


def test_a_run_that_is_over_leaves_no_thread_behind(tmp_path: Path) -> None:
    before = threading.active_count()
    write(tmp_path, [FIRST])

    assert threading.active_count() == before


def test_a_start_that_ends_before_its_first_epoch_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "curves", [])

    assert list((tmp_path / "curves").iterdir()) == []


def test_without_tensorboard_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)

    with pytest.raises(MicronetError) as caught:
        TensorBoard(tmp_path)
    assert caught.value.next_step == "pip install 'micronet-wirings[tensorboard]'"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "curves").touch()

    with pytest.raises(MicronetError, match="curves: cannot be made"):
        TensorBoard(tmp_path / "curves").__enter__()
