"""What was found survives a kill; what is not whole, or of another run, is not believed."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micronet.errors import MicronetError
from micronet.evaluation.journal import MAX_BYTES, Journal, open_journal
from micronet.evaluation.prediction import UNREADABLE
from micronet.evaluation.team import Alone
from tests.evaluation.samples import prediction

if TYPE_CHECKING:
    from pathlib import Path

    from micronet.evaluation.prediction import Prediction

ODD = prediction(
    3,
    name='n01/a "b",\n\udc80ü.JPEG',
    top=(),
    margin_percent=None,
    state=UNREADABLE,
    problem="no image, ×",
)
FOUND = [prediction(0), prediction(1, top=(1, 2), margin_percent=0), prediction(2), ODD]


def written(folder: Path, found: list[Prediction] | None = None) -> Path:
    """The file of a journal that was closed."""
    journal = Journal(folder)
    journal.append(FOUND if found is None else found)
    journal.close()
    (path,) = folder.glob("*.journal")
    return path


def read(folder: Path) -> dict[int, Prediction]:
    journal = Journal(folder)
    journal.close()
    return journal.found


def test_what_was_appended_is_found_again(tmp_path: Path) -> None:
    written(tmp_path / "a")
    assert read(tmp_path / "a") == {each.index: each for each in FOUND}


BEGINNING = """
import os, resource, signal, sys
from pathlib import Path
from micronet.errors import MicronetError
from micronet.evaluation.journal import Journal
from micronet.evaluation.prediction import Prediction
found = [Prediction(i, f"image{i}", 7, (7, 3), 73, "ok", "00") for i in range(4)]
journal = Journal(Path(sys.argv[1]))
"""


def in_a_process(folder: Path, then: str) -> int:
    """The exit code of a process that opens the journal and goes on with ``then``."""
    command = [sys.executable, "-c", BEGINNING + then, str(folder)]
    return subprocess.run(command, check=False, timeout=60).returncode


def test_it_is_on_disk_before_the_journal_is_closed(tmp_path: Path) -> None:
    killed = in_a_process(tmp_path / "a", "journal.append(found); os.kill(os.getpid(), 9)")
    assert killed == -signal.SIGKILL
    assert list(read(tmp_path / "a")) == [0, 1, 2, 3]


def test_processes_write_files_of_their_own(tmp_path: Path) -> None:
    first, second = (
        Journal(tmp_path / "a", writer="0"),
        Journal(tmp_path / "a", writer="1", lock=False),
    )
    first.append(FOUND[:2])
    second.append(FOUND[2:])
    second.close()
    first.close()
    assert read(tmp_path / "a") == {each.index: each for each in FOUND}


@pytest.mark.parametrize("cut", [1, 2, 9, 10, 60, 150])
def test_a_torn_line_is_ignored(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path / "a", FOUND[:3])
    path.write_bytes(path.read_bytes()[:-cut])
    kept = {0: FOUND[0], 1: FOUND[1], **({2: FOUND[2]} if cut == 1 else {})}
    assert read(tmp_path / "a") == kept


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 7))
def test_no_flipped_bit_becomes_a_prediction(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int
) -> None:
    """CRC-32 sees every change of a single bit."""
    folder = tmp_path_factory.mktemp("flip")
    path = written(folder)
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1 << bit
    path.write_bytes(bytes(data))
    found = read(folder)
    assert len(found) >= len(FOUND) - 2  # the line, and the next where it was the newline
    assert all(each in FOUND for each in found.values())


def line(**changes: Any) -> bytes:
    """A line of a valid checksum."""
    whole = {
        "index": 5,
        "name": "x",
        "label": 1,
        "top": [1, 2],
        "margin_percent": 7,
        "state": "ok",
        "content": "00",
        "problem": "",
    }
    body = json.dumps({**whole, **changes}).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def sealed(body: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(body), body)


FOREIGN = {
    "text": b"hello\nworld\n",
    "bytes": bytes(range(256)) * 20,
    "nothing": b"",
    "newlines": b"\n" * 1000,
    "another document": sealed(b'{"index": 1}'),
    "a list": sealed(b"[1, 2]"),
    "a number": sealed(b"1"),
    "nested": sealed(b"[" * 100_000),
    "no JSON": sealed(b"{"),
    "NaN": line(margin_percent=float("nan")),
    "another state": line(state="fine"),
    "index is text": line(index="5"),
    "index is true": line(index=True),
    "index is a fraction": line(index=5.0),
    "label is none": line(label=None),
    "class is text": line(top=["1"]),
    "top is a number": line(top=3),
    "name is a number": line(name=3),
    "one field more": line(more=1),
}


@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_foreign_file_is_ignored(tmp_path: Path, data: bytes) -> None:
    written(tmp_path / "a")
    (tmp_path / "a" / "9-9.journal").write_bytes(data)
    assert read(tmp_path / "a") == {each.index: each for each in FOUND}


def test_that_line_would_be_believed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "9-9.journal").write_bytes(line())
    assert list(read(tmp_path / "a")) == [5]


def test_a_journal_of_a_gigabyte_is_refused_unread(tmp_path: Path) -> None:
    path = written(tmp_path / "a")
    os.truncate(path, MAX_BYTES + 1)  # sparse: it takes no disk
    with pytest.raises(MicronetError, match="larger than a journal gets"):
        Journal(tmp_path / "a")


def test_the_second_of_two_runs_is_refused(tmp_path: Path) -> None:
    first = Journal(tmp_path / "a")
    with pytest.raises(MicronetError, match="is being run by another process") as caught:
        Journal(tmp_path / "a")
    assert caught.value.next_step == "Wait for it, or stop it; what it has found is kept."
    first.append(FOUND)
    first.close()
    assert len(read(tmp_path / "a")) == len(FOUND)


def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    assert in_a_process(tmp_path / "a", "os.kill(os.getpid(), 9)") == -signal.SIGKILL
    assert (tmp_path / "a" / "lock").exists()
    assert read(tmp_path / "a") == {}


def test_another_evaluation_has_another_folder(tmp_path: Path) -> None:
    for identity in ("1" * 64, "2" * 64):
        with open_journal(tmp_path / "j", "net.val", identity, Alone()) as journal:
            assert journal.found == {}
            journal.append(FOUND)
            folder = journal.folder
            assert folder.name == f"net.val-{identity[:16]}"


def test_a_name_stays_in_its_folder(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j", "../../x/y:z", "1" * 64, Alone()) as journal:
        assert journal.folder.parent == tmp_path / "j"


def test_it_goes_when_all_ends_well_with_the_folders_that_are_empty_then(tmp_path: Path) -> None:
    root = tmp_path / "reports" / "journals"
    with open_journal(root, "net.val", "1" * 64, Alone()) as journal:
        journal.append(FOUND)
    assert list(tmp_path.iterdir()) == []


def test_others_folders_stay(tmp_path: Path) -> None:
    root = tmp_path / "reports" / "journals"
    other = root / "other"
    other.mkdir(parents=True)
    with open_journal(root, "net.val", "1" * 64, Alone()) as journal:
        journal.append(FOUND)
    assert list(root.iterdir()) == [other]


def broken_off(root: Path, found: list[Prediction]) -> None:
    with open_journal(root, "net.val", "1" * 64, Alone()) as journal:
        journal.append(found)
        raise KeyboardInterrupt


def test_it_stays_when_a_run_breaks_off_and_is_gone_on_from(tmp_path: Path) -> None:
    root = tmp_path / "reports" / "journals"
    for part in (FOUND[:1], FOUND[1:3]):
        with pytest.raises(KeyboardInterrupt):
            broken_off(root, part)
    with open_journal(root, "net.val", "1" * 64, Alone()) as journal:
        assert list(journal.found) == [0, 1, 2]


def test_a_run_that_found_nothing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        broken_off(tmp_path / "reports" / "journals", [])
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MicronetError, match=r"file/a: cannot be written: Not a directory\."):
        Journal(tmp_path / "file" / "a")


FULL = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))
try:
    for each in found:
        journal.append([each])
except MicronetError as error:
    sys.exit(7 if "cannot be written: File too large." in error.message else 8)
"""


def test_a_full_disk_is_said_and_what_is_whole_is_kept(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk."""
    assert in_a_process(tmp_path / "a", FULL) == 7
    assert list(read(tmp_path / "a")) in ([0], [0, 1], [0, 1, 2])


def test_nobody_else_may_write_it(tmp_path: Path) -> None:
    mode = written(tmp_path / "a").stat().st_mode
    assert not mode & (stat.S_IWGRP | stat.S_IWOTH)


def test_the_lock_is_the_systems(tmp_path: Path) -> None:
    """Held by the process, so that it cannot be left behind."""
    journal = Journal(tmp_path / "a")
    handle = os.open(tmp_path / "a" / "lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    journal.append(FOUND)
    journal.close()
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)
