"""What is said while an evaluation runs, on stderr only."""

from __future__ import annotations

import os
import pty
import sys

import pytest

from micronet.commands import evaluation_progress
from micronet.evaluation.progress import Meter, Progress
from tests.evaluation.samples import answered


def progress(**changes: float) -> Progress:
    plain = {
        "done": 1500,
        "total": 50_000,
        "right": 750,
        "known": 1000,
        "images_per_second": 1234.5,
        "decode_seconds": 3.0,
        "compute_seconds": 1.0,
    }
    return Progress(**{**plain, **changes})  # type: ignore[arg-type]


SENTENCES = {
    "decoding": (progress(), "1,234 images/s, mostly decode 75%, top-1 75.0%"),
    "computing": (
        progress(decode_seconds=1.0, compute_seconds=9.0),
        "1,234 images/s, mostly compute 90%, top-1 75.0%",
    ),
    "both alike": (
        progress(decode_seconds=1.0, compute_seconds=1.0),
        "1,234 images/s, mostly compute 50%, top-1 75.0%",
    ),
    "nothing yet": (
        progress(known=0, right=0, images_per_second=0.0, decode_seconds=0, compute_seconds=0),
        "0 images/s, mostly compute 100%",
    ),
}


@pytest.mark.parametrize(("now", "expected"), SENTENCES.values(), ids=SENTENCES.keys())
def test_a_sentence_has_speed_bottleneck_and_accuracy(now: Progress, expected: str) -> None:
    assert evaluation_progress.sentence(now) == expected


def test_what_is_known_so_far() -> None:
    assert evaluation_progress.known_so_far(progress()) == (
        "Stopped after 1,500 of 50,000 images; 750 of 1,000 right so far (75.0 %). "
        "The same command goes on from there."
    )
    assert "0 of 0 right so far (–)" in evaluation_progress.known_so_far(progress(known=0, right=0))


def test_off_a_terminal_there_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evaluation_progress, "LINE_SECONDS", -1.0)
    with evaluation_progress.shown() as watch:
        watch(progress())
        watch(progress(done=50_000))
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.partition(", 1,234")[0] for line in err.splitlines()] == [
        "1,500 of 50,000 images",
        "50,000 of 50,000 images",
    ]


def test_a_short_run_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A line is due after ten seconds."""
    with evaluation_progress.shown() as watch:
        for done in range(1000):
            watch(progress(done=done))
    assert capsys.readouterr() == ("", "")


def test_other_processes_say_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evaluation_progress, "LINE_SECONDS", -1.0)
    with evaluation_progress.shown(bar=False) as watch:
        watch(progress())
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with evaluation_progress.shown() as watch:
            watch(progress())
        terminal.write("\nend")
        terminal.flush()
        shown = b""
        while not shown.endswith(b"end"):
            shown += os.read(ours, 100_000)
    os.close(ours)
    assert b"1500/50000" in shown
    assert b"mostly decode 75%" in shown


def test_the_meter_adds_up_what_was_known_and_what_is_found() -> None:
    from micronet.evaluation.lanes import Finished

    seen: list[Progress] = []
    found = answered(correct=6, of=10)  # the first six are right
    meter = Meter(10, found[:3], seen.append)
    meter.tick(Finished(found[3:5], 0.5, 0.25), 4)  # two of ours, two of another process
    meter.tick(Finished(found[5:7], 0.5, 0.25), 7)
    rows = [(each.done, each.right, each.known) for each in seen]
    assert rows == [(3, 3, 3), (7, 5, 5), (10, 6, 7)]
    assert (seen[-1].decode_seconds, seen[-1].compute_seconds) == (1.0, 0.5)
    assert {each.total for each in seen} == {10}
