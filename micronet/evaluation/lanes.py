"""Run an evaluation on every core: each lane decodes a chunk of images and computes it.

A lane is one thread that does all the work of its chunk on one core. Nothing is handed over, so
nobody waits: decoding and computing share the cores in whatever proportion the network needs.
PIL and torch both let go of the interpreter's lock while they work.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from micronet.evaluation.prediction import Prediction

Chunk = Sequence[int]
_PATIENCE_SECONDS = 0.2  # how long the main thread sleeps before it looks for Ctrl-C


@dataclass(frozen=True, slots=True)
class Finished:
    """One chunk's predictions, and the seconds that its lane decoded and computed for them."""

    predictions: tuple[Prediction, ...]
    decode_seconds: float
    compute_seconds: float


class Stopwatch:
    """Adds up the seconds between marks."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last lap."""
        now = time.perf_counter()
        self._since, before = now, self._since
        return now - before


def run_lanes(
    chunks: Iterator[Chunk], work: Callable[[Chunk], Finished], lanes: int
) -> Iterator[Finished]:
    """``work`` done on each of ``chunks`` by ``lanes`` threads, in the order they finish.

    Raises what ``work`` raises, after the other lanes have finished their chunks; closing the
    iterator (or Ctrl-C) stops the lanes likewise. ``chunks`` is asked by one lane at a time.
    """
    done: queue.SimpleQueue[Finished | BaseException | None] = queue.SimpleQueue()
    stop, turn = threading.Event(), threading.Lock()

    def lane() -> None:
        torch.set_num_threads(1)
        try:
            while not stop.is_set():
                with turn:
                    chunk = next(chunks, None)
                if chunk is None:
                    break
                done.put(work(chunk))
        except BaseException as error:  # noqa: BLE001  # it is raised where the results are read
            done.put(error)
        done.put(None)

    with single_threads(), _started(lane, lanes, stop):
        running = lanes
        failure: BaseException | None = None
        while running:
            try:
                found = done.get(timeout=_PATIENCE_SECONDS)
            except queue.Empty:
                continue
            if found is None:
                running -= 1
            elif isinstance(found, BaseException):
                failure = failure or found
                stop.set()
            else:
                yield found
        if failure is not None:
            raise failure


@contextmanager
def _started(lane: Callable[[], None], lanes: int, stop: threading.Event) -> Iterator[None]:
    threads = [threading.Thread(target=lane, name=f"lane-{n}") for n in range(lanes)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def single_threads() -> Iterator[None]:
    """Lanes are the parallelism; torch's own number of threads comes back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
