"""From a card and a folder of images to a trained wiring, through as many restarts as it takes."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from micronet.errors import MicronetError
from micronet.reports import write_receipt
from micronet.training.data.batches import CROP_AND_FLIP, RESIZED_CROP_AND_FLIP, Look
from micronet.training.data.open import open_training
from micronet.training.export import facts_of_data, write_wiring
from micronet.training.job import Job
from micronet.training.log import write_log
from micronet.training.loop import NotFiniteError, Trainer
from micronet.training.methods.registry import method_of
from micronet.training.receipt import training_document
from micronet.training.recipe import RESIZED_CROP
from micronet.training.snapshot import read_snapshot, write_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from micronet.checkpoints.card import Card
    from micronet.training.folder import RunFolder
    from micronet.training.job import Progress
    from micronet.training.recipe import Recipe
    from micronet.training.recording import Recorder
    from micronet.training.team import Team

SNAPSHOT_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Order:
    """What was asked for: a ``card``, its ``recipe`` as changed, images, a seed and a folder.

    ``record``: keep the wiring of every epoch. ``tensorboard``: write its event files.
    """

    card: Card
    recipe: Recipe
    data: Path
    seed: int
    folder: RunFolder
    record: bool = False
    tensorboard: bool = False


def prepare(
    order: Order, team: Team, progress: Callable[[int, int], None] | None = None
) -> Trainer:
    """A trainer where the run begins, or where it was stopped."""
    trainer = Trainer(_job(order, progress), team)
    if order.folder.state.exists():
        read_snapshot(order.folder.state, trainer, identity(trainer.job))
        trainer.job.method.resume(trainer.run)
    else:
        trainer.begin()
    return trainer


def _job(order: Order, progress: Callable[[int, int], None] | None) -> Job:
    card, recipe = order.card, order.recipe
    if card.preprocessing is None:
        raise MicronetError(
            f"The card {card.name} does not say how images are normalised.",
            "Give it [preprocessing] with mean and std.",
        )
    size = card.input[-1]
    look = Look(
        size=size,
        mean=_three(card.preprocessing.mean),
        std=_three(card.preprocessing.std),
        train=RESIZED_CROP_AND_FLIP if recipe.train_transform == RESIZED_CROP else CROP_AND_FLIP,
    )
    method = method_of(recipe.method, recipe.knobs)
    data = open_training(order.data, size=size, progress=progress)
    classes = card.config.get("classes", 1000)
    if len(data.classes) != classes:
        raise MicronetError(
            f"{order.data}: {len(data.classes)} classes, but {card.name} tells {classes} apart.",
            "Name the data set that the card is for: --data DIR",
        )
    return Job(
        card.architecture, card.config, recipe, method, data.train, data.test, look, order.seed
    )


def _three(colours: tuple[float, ...]) -> tuple[float, float, float]:
    red, green, blue = colours
    return red, green, blue


def identity(job: Job) -> str:
    """What a stopped run must agree on to be gone on with."""
    facts: dict[str, Any] = {
        "architecture": job.architecture,
        "config": dict(job.config),
        "recipe": job.recipe.digest,
        "seed": job.seed,
        "data": facts_of_data(job),
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
    return f"{job.architecture}, {job.recipe.method}, seed {job.seed} ({digest})"


def train(
    order: Order,
    trainer: Trainer,
    watch: Callable[[Progress], None],
    stop: Callable[[], bool] = lambda: False,
) -> Path:
    """Train to the end, and write what the order asks for; the path of the wiring.

    The state is written after every epoch and about every minute, the log after every epoch. With
    several processes only the first one writes. When ``stop`` says so after a step, the state is
    written and KeyboardInterrupt raised. Whatever stops a run, the same order goes on.
    A loss that is no number is a MicronetError that says where the last good state is.
    """
    with ExitStack() as stack:
        keeper = Keeper(order, trainer, stack) if trainer.team.rank == 0 else None

        def each_step(progress: Progress) -> None:
            watch(progress)
            stopping = stop()
            if keeper is not None:
                keeper.after_step(now=stopping)
            if stopping:
                raise KeyboardInterrupt

        try:
            trainer.train(each_step)
        except NotFiniteError as error:
            state = order.folder.state
            where = f"The last good state is {state}. " if state.exists() else ""
            raise MicronetError(error.message, f"{where}{error.next_step}") from error
        if keeper is not None:
            write_log(order.folder.log, trainer.history)
            write_wiring(order.folder.wiring, trainer, order.card.name)
            document = training_document(trainer, order.card.name, order.folder.wiring)
            write_receipt(order.folder.receipt, document)
    trainer.team.wait()
    return order.folder.wiring


class Keeper:
    """Writes a run's state, log and what else was asked for, as it goes along."""

    def __init__(self, order: Order, trainer: Trainer, stack: ExitStack) -> None:
        self._order, self._trainer = order, trainer
        self._written, self._epochs = time.monotonic(), len(trainer.history)
        self._recorder = self._begin_recording() if order.record else None
        self._board = None
        if order.tensorboard:
            from micronet.training.tensorboard import TensorBoard

            self._board = stack.enter_context(TensorBoard(order.folder.path / "tensorboard"))
            if trainer.history:  # a kill may have come between the state and this point
                self._board.epoch(trainer.history[-1])

    def after_step(self, *, now: bool) -> None:
        """Write what is due; the state, if ``now``."""
        history = self._trainer.history
        over = len(history) > self._epochs
        self._epochs = len(history)
        if over and self._recorder is not None:
            self._recorder.note(self._trainer.gates, history[-1], self._trainer.step)
            self._recorder.write(self._order.folder.recording)
        if over or now or time.monotonic() - self._written > SNAPSHOT_SECONDS:
            state = self._order.folder.state
            write_snapshot(state, self._trainer, identity(self._trainer.job))
            self._written = time.monotonic()
        if over:
            write_log(self._order.folder.log, history)
            if self._board is not None:
                self._board.epoch(history[-1])

    def _begin_recording(self) -> Recorder:
        from micronet.training.recording import Recorder

        trainer, card, seed = self._trainer, self._order.card.name, self._order.seed
        if trainer.step:
            path = self._order.folder.recording
            return Recorder.resumed(path, trainer.gates, card, seed, trainer.step)
        recorder = Recorder(trainer.gates, card, seed)
        recorder.note(trainer.gates, None, 0)
        recorder.write(self._order.folder.recording)  # a stop in the first epoch finds it
        return recorder
