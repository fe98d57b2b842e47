"""How far a training is, on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from micronet.commands import console, numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from micronet.training.job import Progress
    from micronet.training.loop import Trainer
    from micronet.training.run import Order

LINE_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Shows:
    """Two functions to tell: images that were read of how many, and the progress of a step."""

    reading: Callable[[int, int], None]
    step: Callable[[Progress], None]


@contextmanager
def shown(*, bar: bool = True) -> Iterator[Shows]:
    """Where to tell of progress; nothing is said without ``bar``."""
    if not bar:
        yield Shows(lambda _, __: None, lambda _: None)
        return
    if not sys.stderr.isatty():
        yield Shows(_lines_of_reading(), _lines())
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Bar(*columns, TimeRemainingColumn(), console=console.progress_console()) as screen:
        reads = screen.add_task("images read", total=None, visible=False)
        task = screen.add_task("", total=None, visible=False)

        def reading(done: int, of: int) -> None:
            screen.update(reads, completed=done, total=of, visible=done < of)

        def step(now: Progress) -> None:
            done = (now.epoch - 1) * now.batches + now.batch
            screen.update(
                task,
                completed=done,
                total=now.epochs * now.batches,
                visible=True,
                description=sentence(now),
            )

        yield Shows(reading, step)


def _lines_of_reading() -> Callable[[int, int], None]:
    said = time.monotonic()

    def reading(done: int, of: int) -> None:
        nonlocal said
        if time.monotonic() - said > LINE_SECONDS:
            said = time.monotonic()
            console.say(f"{numbers.count(done)} of {numbers.count(of)} images read")

    return reading


def _lines() -> Callable[[Progress], None]:
    said, epoch = time.monotonic(), 0

    def step(now: Progress) -> None:
        nonlocal said, epoch
        over = now.batch == now.batches and now.epoch != epoch
        if over or time.monotonic() - said > LINE_SECONDS:
            said = time.monotonic()
            epoch = now.epoch if over else epoch
            console.say(f"epoch {now.epoch} of {now.epochs}, {sentence(now)}")

    return step


def sentence(now: Progress) -> str:
    """Throughput, loss, accuracy, and the wiring as it was when the last epoch ended."""
    told = f"{now.images_per_second:,.0f} images/s, loss {now.loss:.3f}, {now.right:.1%} right"
    wires = now.wires
    if wires is None:
        return told
    swapped = wires.entered / max(wires.kept, 1)
    alive = f"{numbers.count(wires.alive)} of {numbers.count(wires.targets)} nodes alive"
    thresholds = [each for each in wires.thresholds if each is not None]
    tau = f", τ {min(thresholds):.2g}" if thresholds else ""
    return f"{told}; {alive}, {swapped:.1%} of edges new{tau}"


def opening(order: Order, trainer: Trainer) -> str:
    """What is trained, on what, and where it goes on."""
    job = trainer.job
    begun = "begins" if trainer.step == 0 else f"goes on after step {numbers.count(trainer.step)}"
    return (
        f"{order.card.name}, {job.recipe.method}, seed {job.seed}: "
        f"{numbers.count(job.recipe.epochs)} epochs of {numbers.count(job.train.count)} images, "
        f"{numbers.count(trainer.gates.budget)} edges; {begun}, {order.folder.path}"
    )
