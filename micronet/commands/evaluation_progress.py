"""How far an evaluation is, on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from micronet.commands import console, numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from micronet.evaluation.progress import Progress

LINE_SECONDS: Final = 10.0
_BUSY: Final = 0.5


@contextmanager
def shown(*, bar: bool = True) -> Iterator[Callable[[Progress], None]]:
    """A function to tell of progress; it says nothing without ``bar``."""
    if not bar:
        yield lambda _: None
        return
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Bar(*columns, TimeRemainingColumn(), console=console.progress_console()) as screen:
        task = screen.add_task("", total=None)

        def watch(now: Progress) -> None:
            screen.update(task, completed=now.done, total=now.total, description=sentence(now))

        yield watch


@contextmanager
def shown_of_text() -> Iterator[Callable[[int, int, float], None]]:
    """The same for a text: tokens done, of how many, the perplexity so far."""
    since = said = time.monotonic()

    def watch(done: int, of: int, perplexity: float) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said > (LINE_SECONDS if not sys.stderr.isatty() else 1.0):
            said = now
            end = "\r" if sys.stderr.isatty() else "\n"
            rate = done / (now - since)
            sys.stderr.write(
                f"{done:,} of {of:,} tokens, {rate:,.0f} tokens/s, perplexity {perplexity:.2f}{end}"
            )

    yield watch


def _lines() -> Callable[[Progress], None]:
    said = time.monotonic()

    def watch(now: Progress) -> None:
        nonlocal said
        if time.monotonic() - said > LINE_SECONDS:
            said = time.monotonic()
            done = f"{numbers.count(now.done)} of {numbers.count(now.total)} images"
            console.say(f"{done}, {sentence(now)}")

    return watch


def sentence(now: Progress) -> str:
    """Throughput, the side that takes most of the time, and the accuracy so far."""
    busy = now.decode_seconds + now.compute_seconds
    decoding = now.decode_seconds / busy if busy else 0.0
    side = f"decode {decoding:.0%}" if decoding > _BUSY else f"compute {1 - decoding:.0%}"
    right = f", top-1 {now.right / now.known:.1%}" if now.known else ""
    return f"{now.images_per_second:,.0f} images/s, mostly {side}{right}"


def known_so_far(now: Progress) -> str:
    """What is known when a run is stopped."""
    right = numbers.percent(now.right, now.known)
    return (
        f"Stopped after {numbers.count(now.done)} of {numbers.count(now.total)} images; "
        f"{numbers.count(now.right)} of {numbers.count(now.known)} right so far ({right}). "
        "The same command goes on from there."
    )
