"""Improve a network: ``slim``."""

from pathlib import Path
from typing import Annotated

import typer

from micronet import options
from micronet.verbs.app import IMPROVE, Task, app


@app.command("slim", rich_help_panel=IMPROVE)
def _slim(
    target: options.Target = None,
    *,
    out: Annotated[Path, typer.Option("-o", "--out", help="Where to put the slimmer network.")],
    model: options.Model = None,
    weights: options.Weights = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Images to prove that the output is the same."),
    ] = None,
) -> Task:
    """Remove what cannot change the output, and prove it."""
    from micronet.commands import slim as verb

    return lambda: verb.run(target, out=out, model=model, weights=weights, data=data)
