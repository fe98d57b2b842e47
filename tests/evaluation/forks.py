"""Real processes at the price of a fork.

One process imports torch and micronet and then forks a child for each command line, so that many
runs can be started and killed in seconds.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Child:
    """A run of micronet; ``out`` and ``err`` are the files that it writes to."""

    pid: int
    out: Path
    err: Path
    forks: Forks

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; the process is there until it is waited for."""
        os.kill(self.pid, number)

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Its exit code, less than 0 for a signal; kills it and fails if it takes too long."""
        code = self.forks.ask({"wait": self.pid, "seconds": seconds})
        if code is None:
            self.kill()
            self.forks.ask({"wait": self.pid, "seconds": seconds})
            raise AssertionError(f"still running after {seconds} s: {self.err.read_text()}")
        return int(code)


class Forks:
    """The process that forks."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", __file__]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        )
        self._count = 0

    def start(
        self, arguments: Sequence[object], *, cwd: Path, env: Mapping[str, str] | None = None
    ) -> Child:
        """Run `micronet ARGUMENTS…` in ``cwd``."""
        self._count += 1
        cwd.mkdir(parents=True, exist_ok=True)
        out, err = (cwd.parent / f"{cwd.name}.{self._count}.{name}" for name in ("out", "err"))
        words = [str(each) for each in arguments]
        task = {"arguments": words, "cwd": str(cwd), "env": dict(env or {})}
        pid = int(self.ask({**task, "out": str(out), "err": str(err)}))
        return Child(pid, out, err, self)

    def ask(self, task: Mapping[str, Any]) -> Any:
        """What the process answers."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(f"{json.dumps(task)}\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())

    def close(self) -> None:
        """End it."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(PATIENCE_SECONDS)
        self._server.stdout.close()


def _serve(tasks: IO[str]) -> None:
    for name in ("torch.distributed", "torchvision", "micronet.commands.evaluate_images"):
        importlib.import_module(name)  # what each child has already
    for line in tasks:
        task = json.loads(line)
        answer = _status(task) if "wait" in task else _fork(task)
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


def _status(task: Mapping[str, Any]) -> int | None:
    until = time.monotonic() + task["seconds"]
    while time.monotonic() < until:
        pid, status = os.waitpid(task["wait"], os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    return None


def _fork(task: Mapping[str, Any]) -> int:
    begins, started = os.pipe()
    pid = os.fork()
    if pid:
        os.close(started)
        os.read(begins, 1)  # the end of it: the child runs micronet from now on
        os.close(begins)
        return pid
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(task[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(task["env"])
    os.chdir(task["cwd"])
    from micronet import cli

    sys.argv = ["micronet", *task["arguments"]]
    code = 99
    try:
        os.close(started)
        cli.entry()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.stdin)
