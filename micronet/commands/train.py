"""``micronet train``: a card's recipe on a folder of images, to a wiring."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micronet.checkpoints.atomic import write_bytes
from micronet.checkpoints.card import card as card_called
from micronet.checkpoints.card import load_card
from micronet.commands import console, machine, numbers, training_progress
from micronet.commands.stopping import asked_to_stop
from micronet.evaluation.allocator import settle_allocator
from micronet.reports import RECEIPTS
from micronet.training.folder import RunFolder
from micronet.training.recipe import recipe_of

if TYPE_CHECKING:
    from micronet.checkpoints.card import Card
    from micronet.training.loop import Trainer


@dataclass(frozen=True)
class Request:
    """What was asked of ``micronet train``; None leaves a thing to the recipe."""

    recipe: str
    data: Path
    out: Path | None
    seed: int | None
    epochs: int | None
    record: bool
    save: bool
    tensorboard: bool
    device: str
    threads: int | None
    json: bool


def run(request: Request) -> int:
    """Train, or go on training; say where the wiring is and what it gets right."""
    card = _card(request.recipe)
    changes: dict[str, Any] = {} if request.epochs is None else {"epochs": request.epochs}
    recipe = recipe_of(card, changes)
    seed = recipe.seed if request.seed is None else request.seed
    folder = request.out or Path("runs") / f"{card.name}.seed{seed}.{recipe.digest}"
    settle_allocator()  # before torch or anybody else starts a thread that takes an arena of its own
    machine.prepare(request.device, request.threads)
    from micronet.training.run import Order, prepare, train
    from micronet.training.team import joined

    order = Order(
        card,
        recipe,
        request.data.expanduser(),
        seed,
        RunFolder(folder.expanduser(), card.name),
        record=request.record,
        tensorboard=request.tensorboard,
    )
    with joined(request.device) as team, training_progress.shown(bar=team.rank == 0) as shows:
        trainer = prepare(order, team, shows.reading)
        if team.rank == 0:
            console.say(training_progress.opening(order, trainer))
        with asked_to_stop() as stop:
            path = train(order, trainer, shows.step, stop)
        if team.rank == 0:
            if request.save:
                name = f"{card.name}.seed{seed}.training.json"
                write_bytes(RECEIPTS / name, order.folder.receipt.read_bytes())
            _tell(path, trainer, json=request.json)
    return 0


def _tell(path: Path, trainer: Trainer, *, json: bool) -> None:
    last = trainer.history[-1]
    if json:
        console.write_json(
            {
                "path": str(path),
                "epochs": last.epoch,
                "seed": trainer.job.seed,
                "test_right": last.test_right,
                "test_images": last.test_images,
                "edges": last.wires.kept,
            }
        )
        return
    lines = [f"{path}  {numbers.file_size(path.stat().st_size)}"]
    if last.test_right is not None and last.test_images:
        share = numbers.percent(last.test_right, last.test_images)
        right, of = numbers.count(last.test_right), numbers.count(last.test_images)
        lines.append(f"{right} of {of} test images right ({share})")
    console.write(lines)


def _card(name: str) -> Card:
    """A card by its name, or a file of the user's own."""
    path = Path(name)
    return load_card(path) if path.suffix == ".toml" else card_called(name)
