"""The log: a line an epoch, every figure where its column says."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from micronet.errors import MicronetError
from micronet.training.job import Epoch
from micronet.training.log import COLUMNS, write_log
from micronet.training.wires import Wires

if TYPE_CHECKING:
    from pathlib import Path

FIRST = Epoch(
    epoch=1,
    step=98,
    learning_rate=0.099396891,
    loss=1.8238588,
    right=16505,
    images=50000,
    seconds=64.0,
    test_right=4629,
    test_images=10000,
    wires=Wires(
        kept=32000, entered=20003, left=19999, alive=767, targets=768, thresholds=(0.03672565,)
    ),
)
UNTESTED = Epoch(
    epoch=2,
    step=196,
    learning_rate=0.1,
    loss=1.5,
    right=1,
    images=3,
    seconds=1.5,
    test_right=None,
    test_images=None,
    wires=Wires(kept=7, entered=2, left=0, alive=5, targets=6, thresholds=(0.25, 0.0, 1e-9)),
)


def test_the_log_is_a_line_an_epoch(tmp_path: Path) -> None:
    write_log(tmp_path / "log.csv", [FIRST, UNTESTED])

    assert (tmp_path / "log.csv").read_bytes().decode() == (
        "epoch,step,learning_rate,loss,train_right,train_images,test_right,test_images,"
        "images_per_second,edges,edges_entered,edges_left,alive_nodes,nodes,threshold\n"
        "1,98,0.099396891,1.8238588,16505,50000,4629,10000,781.2,32000,20003,19999,767,768,0.03672565\n"
        "2,196,0.1,1.5,1,3,,,2.0,7,2,0,5,6,0.25 0 1e-09\n"
    )


def test_edges_that_are_held_have_no_threshold(tmp_path: Path) -> None:
    held = replace(UNTESTED, wires=replace(UNTESTED.wires, thresholds=(None, None)))
    write_log(tmp_path / "log.csv", [held])

    assert (tmp_path / "log.csv").read_text().splitlines()[
        1
    ] == "2,196,0.1,1.5,1,3,,,2.0,7,2,0,5,6,"


def test_every_line_has_every_column(tmp_path: Path) -> None:
    write_log(tmp_path / "log.csv", [FIRST, UNTESTED])

    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert [len(row) for row in rows] == [len(COLUMNS)] * 3


def test_a_log_before_the_first_epoch_has_its_columns(tmp_path: Path) -> None:
    write_log(tmp_path / "log.csv", [])

    assert (tmp_path / "log.csv").read_text() == ",".join(COLUMNS) + "\n"


def test_the_log_is_replaced_as_a_whole(tmp_path: Path) -> None:
    write_log(tmp_path / "log.csv", [FIRST, UNTESTED])
    write_log(tmp_path / "log.csv", [FIRST])

    assert len((tmp_path / "log.csv").read_text().splitlines()) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_a_log_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(MicronetError, match=r"log\.csv: cannot be written"):
        write_log(tmp_path / "file" / "log.csv", [FIRST])
