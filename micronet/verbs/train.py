"""Improve a network: ``train``."""

from pathlib import Path
from typing import Annotated

import typer

from micronet import options
from micronet.verbs.app import IMPROVE, Task, app


@app.command("train", rich_help_panel=IMPROVE)
def _train(
    recipe: Annotated[str, typer.Argument(help="A card's name, or a card of yours (FILE.toml).")],
    *,
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Images: DIR/train/CLASS, CIFAR as published.")
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="DIR", help="The folder of the run.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Default: the recipe's.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the recipe's.")] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the wiring of every epoch (recording.npz).")
    ] = False,
    save: Annotated[
        bool,
        typer.Option("--save", help="Put the receipt among those of reports/ when it is over."),
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write TensorBoard's event files.")
    ] = False,
    device: options.Device = "cpu",
    threads: options.TorchThreads = None,
    json: options.Json = False,
) -> Task:
    """Train a wiring by a card's recipe; the same command goes on after a stop."""
    from micronet.commands import train as verb

    request = verb.Request(
        recipe,
        data,
        out=out,
        seed=seed,
        epochs=epochs,
        record=record,
        save=save,
        tensorboard=tensorboard,
        device=device,
        threads=threads,
        json=json,
    )
    return lambda: verb.run(request)
