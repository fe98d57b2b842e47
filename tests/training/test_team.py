"""Two processes with half of each batch take the steps that one takes with all of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from tests.training.small import card_file

if TYPE_CHECKING:
    from torch import Tensor

# Sums over a batch are taken in another order: each step differs by rounding, and steps add up.
RELATIVE = 1e-4
PATIENCE_SECONDS = 120


def command(processes: int, data: Path, out: Path) -> list[str]:
    one = [sys.executable, "-m", "micronet"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    many = [*launcher, f"--nproc-per-node={processes}", "-m", "micronet"]
    words = ["train", str(card_file(out)), "--data", str(data), "--out", str(out)]
    return [*(one if processes == 1 else many), *words, "--threads", "1"]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def trained(processes: int, data: Path, out: Path) -> dict[str, Tensor]:
    done = subprocess.run(
        command(processes, data, out),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return state(out)


def state(out: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = torch.load(out / "run.pt", weights_only=True)["model"]
    return found


def test_two_processes_end_where_one_ends(photographs: Path, tmp_path: Path) -> None:
    one = trained(1, photographs, tmp_path / "one")
    two = trained(2, photographs, tmp_path / "two")
    assert one.keys() == two.keys()
    for name in one:
        if one[name].dtype == torch.bool:
            assert torch.equal(one[name], two[name]), name  # the same edges
        elif one[name].is_floating_point():
            off = (one[name] - two[name]).norm()
            assert off <= RELATIVE * max(1.0, float(one[name].norm())), (name, float(off))
    rows = [(tmp_path / name / "log.csv").read_text().splitlines() for name in ("one", "two")]
    assert len(rows[0]) == len(rows[1]) == 4  # the head and three epochs


def test_a_process_that_dies_ends_the_run_in_a_line_and_the_run_goes_on(
    photographs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "broken"
    words = [*command(2, photographs, out), "--epochs", "400"]
    with subprocess.Popen(
        words, env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as team:
        until = time.monotonic() + PATIENCE_SECONDS
        while not (out / "log.csv").exists():
            assert time.monotonic() < until
            assert team.poll() is None
            time.sleep(0.1)
        os.kill(ranks(team.pid)[1], signal.SIGKILL)
        _, said = team.communicate(timeout=PATIENCE_SECONDS)
    assert team.returncode != 0
    assert "Traceback" not in said.partition("torch/distributed")[0]
    words = [*command(1, photographs, out), "--epochs", "400"]  # one process may go on with it
    with subprocess.Popen(words, env=environment(), stderr=subprocess.PIPE, text=True) as alone:
        assert alone.stderr is not None
        assert "goes on after step" in alone.stderr.readline()
        alone.kill()


def ranks(launcher: int) -> list[int]:
    """The processes that the launcher has started."""
    return [
        int(pid) for pid in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    ]


def test_a_batch_that_cannot_be_shared_is_refused(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "odd"
    words = command(2, photographs, out)
    card = out / "small.toml"
    card.write_text(card.read_text().replace("batch_size = 24", "batch_size = 25"))
    done = subprocess.run(
        words,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode != 0
    assert "Batches of 25 images cannot be dealt out to 2 processes" in done.stderr
