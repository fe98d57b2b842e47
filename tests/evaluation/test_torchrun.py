"""Many processes find what one finds, image by image, and none waits for a dead one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.evaluation import nets
from tests.evaluation.forks import Forks
from tests.evaluation.pictures import class_folders

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.evaluation.forks import Child

IMAGES = 120
NETS = Path(nets.__file__)


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    server = Forks()
    yield server
    server.close()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folders(tmp_path_factory.mktemp("data") / "val", IMAGES)


def arguments(data: Path, *further: object, net: str = "slow") -> list[object]:
    model = ["evaluate", "--model", f"{NETS}:{net}", "--data", data]
    look = ["--resize", "32x32", "--crop", "none", "--threads", 1]
    return [*model, *look, *further]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def team(forks: Forks, words: Sequence[object], count: int, cwd: Path) -> list[Child]:
    """Processes as torchrun starts them, but without torchrun to watch them."""
    env = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(count)}
    ranks = [
        {"RANK": str(r), "LOCAL_RANK": str(r), "LOCAL_WORLD_SIZE": str(count)} for r in range(count)
    ]
    return [forks.start(words, cwd=cwd, env={**env, **rank}) for rank in ranks]


def left(cwd: Path) -> dict[str, bytes]:
    """All files that a run has left, by name."""
    files = (path for path in cwd.rglob("*") if path.is_file())
    return {str(path.relative_to(cwd)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def alone(forks: Forks, data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process leaves."""
    cwd = tmp_path_factory.mktemp("alone") / "run"
    assert forks.start(arguments(data), cwd=cwd).wait() == 0
    files = left(cwd)
    assert sorted(Path(name).suffix for name in files) == [".csv", ".json"]
    return files


def entries(cwd: Path) -> int:
    """Whole lines in the journals."""
    files = list(cwd.rglob("*.journal"))
    return sum(path.read_bytes().count(b"\n") for path in files)


def wait_for_entries(cwd: Path, count: int) -> None:
    until = time.monotonic() + 60
    while entries(cwd) < count:
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("cut", [(2, 1), (2, 7), (3, 7), (3, 64)])
def test_so_many_processes_leave_the_same_bytes(
    forks: Forks, data: Path, alone: dict[str, bytes], tmp_path: Path, cut: tuple[int, int]
) -> None:
    """64 images at a time are two shares: the third process has nothing to do."""
    count, batch_size = cut
    words = arguments(data, "--batch-size", batch_size)
    children = team(forks, words, count, tmp_path / "run")
    assert [child.wait() for child in children] == [0] * count
    assert left(tmp_path / "run") == alone
    assert [bool(child.out.read_text()) for child in children] == [True] + [False] * (count - 1)
    assert [child.err.read_text() for child in children[1:]] == [""] * (count - 1)


def test_a_killed_first_process_ends_the_others_and_they_say_so(
    forks: Forks, data: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    """Then other numbers of processes go on, and end in the same bytes."""
    cwd = tmp_path / "run"
    children = team(forks, arguments(data, "--batch-size", 2), 3, cwd)
    wait_for_entries(cwd, 20)
    children[0].kill()
    began = time.monotonic()
    assert [child.wait(60) for child in children] == [-signal.SIGKILL, 2, 2]
    assert time.monotonic() - began < 40
    for child in children[1:]:
        lines = child.err.read_text().splitlines()
        assert lines[-2].startswith("micronet: The team has lost a process: ")
        assert lines[-1] == "What is done is kept: the same command goes on from there."
    done = entries(cwd)
    assert 20 <= done < IMAGES
    found = [line for path in cwd.rglob("*.journal") for line in path.read_bytes().splitlines()]
    assert len(set(found)) == len(found)  # no image was done by two

    children = team(forks, arguments(data, "--batch-size", 3), 2, cwd)
    wait_for_entries(cwd, done + 10)
    for child in children:
        child.kill()
    assert [child.wait() for child in children] == [-signal.SIGKILL] * 2
    assert IMAGES > entries(cwd) >= done + 10

    assert forks.start(arguments(data), cwd=cwd).wait() == 0
    assert left(cwd) == alone


@pytest.mark.slow
def test_a_killed_later_process_is_missed_within_forty_seconds(
    forks: Forks, data: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    """Nothing tells the others but that its heart stands still."""
    cwd = tmp_path / "run"
    children = team(forks, arguments(data, "--batch-size", 2), 3, cwd)
    wait_for_entries(cwd, 20)
    children[1].kill()
    began = time.monotonic()
    assert [child.wait(90) for child in children] == [2, -signal.SIGKILL, 2]
    assert time.monotonic() - began < 40
    said = children[0].err.read_text() + children[2].err.read_text()
    assert "Process 1 of 3 has not answered for 30 seconds." in said
    assert "What is done is kept: the same command goes on from there." in said
    children = team(forks, arguments(data), 3, cwd)
    assert [child.wait() for child in children] == [0, 0, 0]
    assert left(cwd) == alone


def test_a_stopped_process_that_wakes_up_has_not_been_given_up(
    forks: Forks, data: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    cwd = tmp_path / "run"
    children = team(forks, arguments(data, "--batch-size", 2), 2, cwd)
    wait_for_entries(cwd, 10)
    children[1].kill(signal.SIGSTOP)
    time.sleep(3)
    children[1].kill(signal.SIGCONT)
    assert [child.wait() for child in children] == [0, 0]
    assert left(cwd) == alone


def test_an_error_in_one_process_is_told_by_the_others(forks: Forks, tmp_path: Path) -> None:
    """With --strict, of an image that only one of them gets."""
    data = class_folders(tmp_path / "val", 60)
    (data / "5" / "0035.png").write_bytes(b"")
    words = arguments(data, "--batch-size", 1, "--strict")
    children = team(forks, words, 3, tmp_path / "run")
    assert [child.wait(60) for child in children] == [2, 2, 2]
    said = [child.err.read_text().splitlines()[-2:] for child in children]
    fault = "5/0035.png: cannot be read as an image: no image of a known format."
    first = [lines[0] for lines in said if lines[0] == f"micronet: {fault}"]
    told = [
        lines[0]
        for lines in said
        if lines[0].startswith("micronet: Another process of the team failed: process ")
    ]
    lost = [lines[0] for lines in said if "The team has lost a process" in lines[0]]
    assert len(first) == 1
    assert len(told) + len(lost) == 2
    assert all(line.endswith(fault) for line in told)


def test_processes_that_evaluate_different_things_are_told_apart(
    forks: Forks, data: Path, tmp_path: Path
) -> None:
    """As two hosts with different weights do."""
    env = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    children = [
        forks.start(arguments(data, net=net), cwd=tmp_path / "run", env={**env, "RANK": rank})
        for rank, net in (("0", "small"), ("1", "other"))
    ]
    assert [child.wait(60) for child in children] == [2, 2]
    for child in children:
        assert "micronet: The processes do not evaluate the same." in child.err.read_text()
    assert left(tmp_path / "run") == {}


def test_a_run_in_the_same_folder_is_refused_meanwhile(
    forks: Forks, data: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    """Also when it is a team; and the first one does not suffer."""
    cwd = tmp_path / "run"
    first = forks.start(arguments(data, "--batch-size", 2), cwd=cwd)
    wait_for_entries(cwd, 4)
    first.kill(signal.SIGSTOP)  # it holds the folder, and does not end before the others come
    children = team(forks, arguments(data), 2, cwd)
    assert [child.wait(60) for child in children] == [2, 2]
    first.kill(signal.SIGCONT)
    assert "this evaluation is being run by another process." in children[0].err.read_text()
    assert first.wait() == 0
    assert left(cwd) == alone


MISTAKES = {
    "no rank": ({"WORLD_SIZE": "2"}, "one process of several, but RANK is ''."),
    "no address": (
        {"WORLD_SIZE": "2", "RANK": "0"},
        "The team has lost a process: ",
    ),
}


@pytest.mark.parametrize(("env", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_half_an_environment_is_said(
    forks: Forks, data: Path, tmp_path: Path, env: dict[str, str], message: str
) -> None:
    child = forks.start(arguments(data), cwd=tmp_path / "run", env=env)
    assert child.wait(60) == 2
    assert message in child.err.read_text()
    assert "Traceback" not in child.err.read_text()


def torchrun(words: Sequence[object], count: int, cwd: Path) -> subprocess.Popen[str]:
    cwd.mkdir(exist_ok=True)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(count)]
    command = [*launcher, "--master-port", str(free_port()), "-m", "micronet", *map(str, words)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def workers(launcher: int) -> list[int]:
    """The processes that torchrun has started, by rank."""
    said = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(launcher)],  # noqa: S607
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    rows = [line.split(None, 1) for line in said.stdout.splitlines() if "micronet" in line]
    return sorted(int(pid) for pid, _ in rows)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_torchrun_itself_leaves_the_same_bytes(
    data: Path, alone: dict[str, bytes], tmp_path: Path, count: int
) -> None:
    run = torchrun(arguments(data, "--batch-size", 7), count, tmp_path / "run")
    _, err = run.communicate(timeout=200)
    assert run.returncode == 0, err
    assert left(tmp_path / "run") == alone


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_torchrun_ends_when_a_process_is_killed_and_goes_on_next_time(
    forks: Forks, data: Path, alone: dict[str, bytes], tmp_path: Path, victim: int
) -> None:
    cwd = tmp_path / "run"
    run = torchrun(arguments(data, "--batch-size", 1), 3, cwd)
    wait_for_entries(cwd, 10)
    os.kill(workers(run.pid)[victim], signal.SIGKILL)
    began = time.monotonic()
    _, err = run.communicate(timeout=90)
    assert time.monotonic() - began < 40
    assert run.returncode != 0
    assert "micronet: " in err
    assert "SIGKILL" in err
    assert 10 <= entries(cwd) < IMAGES
    children = team(forks, arguments(data), 2, cwd)
    assert [child.wait() for child in children] == [0, 0]
    assert left(cwd) == alone
