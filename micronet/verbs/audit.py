"""Judge claims: ``audit``, ``reconcile``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from micronet import options
from micronet.verbs.app import JUDGE, Task, app

Format = Literal["terminal", "markdown", "json"]


@app.command("audit", rich_help_panel=JUDGE)
def _audit(
    claims: Annotated[
        str | None,
        typer.Argument(
            help="A claims file (TOML) or a card's name; default: all that are shipped."
        ),
    ] = None,
    *,
    target: Annotated[
        str | None,
        typer.Option(help="Recount this checkpoint or card, whatever the claims name."),
    ] = None,
    model: options.Model = None,
    weights: options.Weights = None,
    entry: Annotated[str | None, typer.Option(help="Only this entry of the claims.")] = None,
    input_shape: options.Input = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Watch what enters each multiplication on these images."),
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="How many images of --data to watch.")] = 32,
    calibrate: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Mean operations an example over these (early exits)."),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run the code that the claims file names.")
    ] = False,
    recount: Annotated[
        bool, typer.Option("--recount", help="Count again, whatever evidence is in reports/.")
    ] = False,
    save: Annotated[bool, typer.Option("--save", help="Write the evidence to reports/.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="How to show it.")] = "terminal",
    threads: options.TorchThreads = None,
    json: options.Json = False,
) -> Task:
    """Say which published numbers hold, and explain those that do not to the last unit."""
    from micronet.commands import audit as verb

    request = verb.Request(
        claims=claims,
        target=target,
        entry=entry,
        model=model,
        weights=weights,
        input_shape=input_shape,
        data=data,
        images=images,
        calibrate=calibrate,
        trust=trust,
        recount=recount,
        save=save,
        format=format_,
        threads=threads,
        json=json,
    )
    return lambda: verb.run(request)


@app.command("reconcile", rich_help_panel=JUDGE)
def _reconcile(
    number: Annotated[str, typer.Argument(help="As published: 327.5M, 2,558,732, 0.8460 …")],
    target: options.Target = None,
    *,
    model: options.Model = None,
    weights: options.Weights = None,
    quantity: Annotated[
        options.Counted | None, typer.Option(help="What it counts, if that is known.")
    ] = None,
    input_shape: options.Input = None,
    track: options.Track = None,
    threads: options.TorchThreads = None,
    json: options.Json = False,
) -> Task:
    """Find the dialect that a published number is counted in."""
    from micronet.commands import reconcile as verb

    request = verb.Request(
        number=number,
        target=target,
        model=model,
        weights=weights,
        quantity=quantity,
        input_shape=input_shape,
        track=track,
        threads=threads,
        json=json,
    )
    return lambda: verb.run(request)
