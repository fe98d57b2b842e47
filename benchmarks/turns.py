"""Processes that take turns: each runs alone until it has done its share, then it is stopped.

All of them are at the same point of the same work at any time, so whatever else the machine does
hits everybody alike, and nobody's workers go on while somebody else is measured. Linux and macOS.
"""
# ruff: noqa: INP001, S603  # a script's helper; it starts our own commands

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_SHARES = 10
LEAST_IMAGES = 64  # a share is two batches of the loops at least


@dataclass(frozen=True)
class Mark:
    """How far a contestant is: images done, seconds it ran for them, processor seconds."""

    images: int
    seconds: float
    processor_seconds: float


@dataclass(frozen=True)
class Pace:
    """Images a second, and processor milliseconds an image (0 where the system does not tell)."""

    images_per_second: float
    processor_ms: float


def pace(marks: Sequence[Mark]) -> Pace:
    """The pace between the first and the last share: start-up and the last batches are left out.

    Of the whole run where it has no middle.
    """
    first, last = (marks[1], marks[-2]) if len(marks) > 3 else (marks[0], marks[-1])
    images = last.images - first.images
    processor = last.processor_seconds - first.processor_seconds
    return Pace(images / (last.seconds - first.seconds), 1000 * processor / images)


class Contestant:
    """A process that waits for its first turn; it tells of each image that it has done.

    It gets the number of a pipe's end in REPORT_TO and writes "ready" there, then waits for a line
    on its standard input, then writes a line for every few images: how many they are.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self._pipe, theirs = os.pipe()
        self._left = b""
        self._errors = (folder / "errors.txt").open("w+b")
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, "REPORT_TO": str(theirs)},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            pass_fds=[theirs],
            process_group=0,
        )
        os.close(theirs)
        self.marks = [Mark(0, 0.0, 0.0)]
        if self._line() != b"ready":
            raise SystemExit(self._complaint())
        self._from = self._processor_seconds()

    def run_to(self, images: int) -> None:
        """Let it run until it has done ``images``, and stop it there."""
        now = self.marks[-1]
        done, start = now.images, time.perf_counter()
        self._go()
        while done < images:
            line = self._line()
            if line is None:
                raise SystemExit(self._complaint())
            done += int(line)
        os.killpg(self.process.pid, signal.SIGSTOP)
        seconds = now.seconds + time.perf_counter() - start
        self.marks.append(Mark(done, seconds, self._processor_seconds() - self._from))

    def finish(self) -> None:
        """Let it write what it found."""
        os.killpg(self.process.pid, signal.SIGCONT)
        while self._line() is not None:
            pass
        if self.process.wait():
            raise SystemExit(self._complaint())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._pipe)
        self._errors.close()
        if self.process.stdin is not None:
            self.process.stdin.close()

    def _go(self) -> None:
        os.killpg(self.process.pid, signal.SIGCONT)
        stdin: IO[bytes] | None = self.process.stdin
        if stdin is not None and len(self.marks) == 1:
            stdin.write(b"go\n")
            stdin.flush()

    def _line(self) -> bytes | None:
        """The next line that it writes; None at the end."""
        while b"\n" not in self._left:
            more = os.read(self._pipe, 4096)
            if not more:
                return None
            self._left += more
        line, _, self._left = self._left.partition(b"\n")
        return line

    def _processor_seconds(self) -> float:
        """Of all its processes together, also those that have ended; 0 outside of Linux."""
        ticks = 0
        for place in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = place.read_text().rpartition(")")[2].split()
                if int(fields[2]) == self.process.pid:  # its process group
                    ticks += sum(map(int, fields[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def _complaint(self) -> str:
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"{self.process.args!r} failed:\n" + "\n".join(said[-5:])


def in_turns(contestants: Mapping[str, Contestant], images: int) -> dict[str, Pace]:
    """Let all of them do ``images`` images, a share at a time, and say how fast each was."""
    shares = min(MOST_SHARES, max(1, images // LEAST_IMAGES))
    names = list(contestants)
    for share in range(1, shares + 1):
        for name in names:
            contestants[name].run_to(images * share // shares)
        names = [*names[1:], names[0]]
        print(f"\r{share} of {shares} ", end="", file=sys.stderr, flush=True)  # noqa: T201
    for contestant in contestants.values():
        contestant.finish()
    return {name: pace(contestant.marks) for name, contestant in contestants.items()}
