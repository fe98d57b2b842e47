"""`micronet train`, as a process: what it says, what it leaves, what stops it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.training.small import card_file, images

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_SECONDS = 120


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return images(tmp_path_factory.mktemp("photographs"))


def words(*further: object) -> list[str]:
    return [sys.executable, "-m", "micronet", "train", *map(str, further)]


def run(cwd: Path, *further: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words(*further),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_run_leaves_wiring_log_state_receipt_and_recording(
    photographs: Path, tmp_path: Path
) -> None:
    card = card_file(tmp_path)
    done = run(
        *(tmp_path, card, "--data", photographs, "--out", "run", "--seed", 5),
        *("--record", "--save", "--json"),
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["path"] == "run/small.pt"
    assert (answer["epochs"], answer["seed"], answer["edges"]) == (3, 5, 900)
    assert 0 <= answer["test_right"] <= answer["test_images"] == 20
    expected = ["log.csv", "recording.npz", "run.pt", "small.pt", "small.training.json"]
    assert files(tmp_path / "run") == expected
    receipt = json.loads((tmp_path / "run" / "small.training.json").read_text())
    saved = tmp_path / "reports" / "receipts" / "small.seed5.training.json"
    assert json.loads(saved.read_text()) == receipt
    assert receipt["test_right"] == answer["test_right"] == receipt["history"][-1]["test_right"]
    assert "small, dnw, seed 5: 3 epochs of 90 images, 900 edges; begins, run" in done.stderr

    scored = subprocess.run(
        [sys.executable, "-m", "micronet", "score", "run/small.pt", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads(scored.stdout)
    assert document["target"]["weights"] == "trained"
    (graph,) = [row for row in document["layers"] if row["weight_shape"] == [232, 232, 1, 1]]
    assert graph["active"] == 900


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    photographs: Path, tmp_path: Path
) -> None:
    card = card_file(tmp_path, "average = 0.9")
    arguments = (card, "--data", photographs, "--record", "--epochs", 12, "--threads", 1)
    assert run(tmp_path, *arguments, "--out", "whole").returncode == 0
    with subprocess.Popen(
        words(*arguments, "--out", "broken"), cwd=tmp_path, stderr=subprocess.DEVNULL
    ) as process:
        wait_for(tmp_path / "broken" / "log.csv", process)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    resumed = run(tmp_path, *arguments, "--out", "broken")
    assert resumed.returncode == 0
    assert "goes on after step" in resumed.stderr
    for name in ("small.pt", "recording.npz", "small.training.json"):
        whole, broken = (tmp_path / run / name for run in ("whole", "broken"))
        assert whole.read_bytes() == broken.read_bytes(), name


def test_ctrl_c_loses_no_step(photographs: Path, tmp_path: Path) -> None:
    arguments = (card_file(tmp_path), "--data", photographs, "--epochs", 500, "--out", "run")
    with subprocess.Popen(
        words(*arguments), cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_for(tmp_path / "run" / "log.csv", process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "micronet: Interrupted."
    assert "Traceback" not in said
    assert not [name for name in files(tmp_path / "run") if name.endswith(".tmp")]


def wait_for(path: Path, process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not path.exists():
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("recipe", "first", "second"),
    [
        ('method = "dwn"', "Unknown method 'dwn'.", "dnw"),
        ("epoch = 3", "epoch is unknown. Did you mean 'epochs'?", "Correct the card."),
        ("momentum = 2", "momentum = 2, expected a number, 0 to 1", "Correct the card."),
    ],
    ids=["method", "key", "value"],
)
def test_mistakes_are_told_in_two_lines(
    recipe: str, first: str, second: str, photographs: Path, tmp_path: Path
) -> None:
    done = run(tmp_path, card_file(tmp_path, recipe), "--data", photographs, "--out", "run")
    lines = done.stderr.splitlines()
    assert done.returncode == 2
    assert first in lines[0]
    assert second in lines[1]
    assert not (tmp_path / "run").exists()


def test_images_that_are_not_there_are_told(tmp_path: Path) -> None:
    done = run(tmp_path, card_file(tmp_path), "--data", "nowhere", "--out", "run")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) <= 2
    assert "nowhere" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_data_set_of_other_classes_is_refused(photographs: Path, tmp_path: Path) -> None:
    card = card_file(tmp_path, config="dim = 232\nedges = 900\nsteps = 3\nclasses = 7")
    done = run(tmp_path, card, "--data", photographs)
    assert done.returncode == 2
    assert "10 classes, but small tells 7 apart" in done.stderr
