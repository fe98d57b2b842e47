"""A team of processes under torchrun, which speak through its store and through gloo.

The processes share a counter from which each takes the next chunk, so a slow one does less. Every
wait watches the others' heartbeats, so a process that died ends the run with an error.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import torch.distributed as dist
from torch._C._distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")
BEAT_SECONDS: Final = 1.0
DEAD_AFTER_SECONDS: Final = 30.0
_JOIN_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.1
_GO_ON: Final = "What is done is kept: the same command goes on from there."


class TorchrunTeam:
    """The processes of one torchrun job (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT)."""

    def __init__(self) -> None:
        self.rank, self.world = _number("RANK"), _number("WORLD_SIZE")
        self.local_rank = _number("LOCAL_RANK", str(self.rank))
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        wait = timedelta(seconds=_JOIN_SECONDS)
        with _reachable():
            store, _, _ = next(iter(rendezvous("env://", timeout=wait)))
            self._store = PrefixStore(f"micronet/{attempt}", store)
            gloo = PrefixStore("gloo", self._store)
            dist.init_process_group(
                "gloo", store=gloo, rank=self.rank, world_size=self.world, timeout=wait
            )
        self._meetings = 0
        self._seen = {peer: (-1, time.monotonic()) for peer in range(self.world)}
        self._gone = threading.Event()
        threading.Thread(target=self._beat, daemon=True, name="heartbeat").start()

    def deal(self, name: str, items: Sequence[T]) -> Iterator[T]:
        """The next item of a counter that all processes share, until there are no more."""
        while True:
            with _reachable():
                turn = self._store.add(f"deal/{name}", 1) - 1
            if turn >= len(items):
                return
            yield items[turn]

    def advance(self, count: int) -> int:
        """Add to the counter of images done."""
        with _reachable():
            return int(self._store.add("done", count))

    def share(self, mine: T) -> list[T]:
        """Wait until every process has come here, then exchange what they bring."""
        self._meetings += 1
        here = [f"here/{self._meetings}/{peer}" for peer in range(self.world)]
        with _reachable():
            self._store.set(here[self.rank], "1")
            while not self._store.check(here):
                self.check()
                time.sleep(_POLL_SECONDS)
            everybody: list[Any] = [None] * self.world
            dist.all_gather_object(everybody, mine)
        return everybody

    def check(self) -> None:
        """Raise MicronetError for the first process that has failed, or whose heart stands still."""
        with _reachable():
            if self._store.add("failures", 0):
                reason = self._store.get("failure").decode()
                raise MicronetError(f"Another process of the team failed: {reason}", _GO_ON)
            beats = {peer: self._store.add(f"beat/{peer}", 0) for peer in range(self.world)}
        now = time.monotonic()
        for peer, beat in beats.items():
            if beat != self._seen[peer][0]:
                self._seen[peer] = (beat, now)
            elif now - self._seen[peer][1] > DEAD_AFTER_SECONDS:
                raise MicronetError(
                    f"Process {peer} of {self.world} has not answered for "
                    f"{DEAD_AFTER_SECONDS:.0f} seconds.",
                    _GO_ON,
                )

    def fail(self, reason: str) -> None:
        """Leave the reason where the others look."""
        with suppress(RuntimeError):
            if self._store.add("failures", 1) == 1:  # the others fail because of the first
                self._store.set("failure", f"process {self.rank}: {reason}")

    def leave(self) -> None:
        """Stop the heartbeat and part."""
        self._gone.set()
        with suppress(RuntimeError):
            dist.destroy_process_group()

    def _beat(self) -> None:
        with suppress(RuntimeError):  # the store has gone: whoever waits will hear of it
            while not self._gone.wait(BEAT_SECONDS):
                self._store.add(f"beat/{self.rank}", 1)


def _number(name: str, default: str = "") -> int:
    """A whole number from the environment, as torchrun sets it."""
    text = os.environ.get(name, default)
    if not (text.isascii() and text.isdigit()):
        raise MicronetError(
            f"WORLD_SIZE says that this is one process of several, but {name} is '{text}'.",
            "Start it with torchrun, or unset WORLD_SIZE.",
        )
    return int(text)


@contextmanager
def _reachable() -> Iterator[None]:
    """Turn torch's errors of a lost connection into one of ours."""
    try:
        yield
    # torch.distributed's own errors are all RuntimeErrors, but for missing variables
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:160]
        raise MicronetError(f"The team has lost a process: {reason}", _GO_ON) from error
