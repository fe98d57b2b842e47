"""``micronet fetch``: a card's published weights, with a progress bar on stderr."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rich import progress

from micronet.checkpoints.card import card as card_called
from micronet.checkpoints.digest import sha256_of
from micronet.commands import console, numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def run(name: str, *, from_file: Path | None, url: str | None, out: Path | None, json: bool) -> int:
    """Fetch the weights of the card called ``name`` and say where they are."""
    card = card_called(name)
    from micronet.checkpoints.fetch import fetch_checkpoint

    with progress_bar(card.name) as report:
        path = fetch_checkpoint(card, from_file=from_file, url=url, progress=report, out=out)
    size, digest = path.stat().st_size, sha256_of(path)
    if json:
        console.write_json({"path": str(path), "bytes": size, "sha256": digest})
    else:
        console.write([f"{path}  {numbers.file_size(size)}", f"sha256 {digest}"])
    return 0


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int | None], None]]:
    """A function that is told the bytes done and the bytes there are, None if nobody knows.

    The bar is drawn on a terminal only: in a log it would be noise.
    """
    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    screen = console.progress_console()
    off = not screen.is_terminal
    with progress.Progress(*columns, console=screen, transient=True, disable=off) as bar:
        task = bar.add_task(title, total=None)

        def report(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        yield report
