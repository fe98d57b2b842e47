"""How far an audit is with counting, on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from micronet.commands import console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import TaskID

LINE_SECONDS: Final = 10.0


class Steps:
    """Told of every entry that is counted and of every image that is looked at for it."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar = bar
        self._task = task
        self._name = ""
        self._images = 0
        self._since = self._said = time.monotonic()

    def entry(self, name: str) -> None:
        """The next entry is being counted."""
        if self._name:
            self._bar.advance(self._task)
        self._name, self._images = name, 0
        self._since = time.monotonic()
        self._bar.update(self._task, description=f"counting {name}")

    def image(self) -> None:
        """One more image was looked at."""
        self._images += 1
        now = time.monotonic()
        rate = self._images / max(now - self._since, 1e-9)
        said = f"{self._name}: {self._images:,} images, {rate:,.1f} images/s"
        self._bar.update(self._task, description=said)
        if self._bar.disable and now - self._said > LINE_SECONDS:
            self._said = now
            console.say(said)


@contextmanager
def shown(total: int) -> Iterator[Steps]:
    """Shows the counting of ``total`` entries while the context lasts."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    screen = console.progress_console()
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        yield Steps(bar, bar.add_task("", total=total))
