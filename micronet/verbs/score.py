"""Judge costs: ``score``."""

from typing import Annotated

import typer

from micronet import options
from micronet.verbs.app import JUDGE, Task, app


@app.command("score", rich_help_panel=JUDGE)
def _score(
    target: options.Target = None,
    *,
    model: options.Model = None,
    weights: options.Weights = None,
    rules: options.Rules = None,
    track: options.Track = None,
    input_shape: options.Input = None,
    bits: Annotated[
        int | None, typer.Option(min=1, max=32, help="Bits a value is stored and multiplied in.")
    ] = None,
    shapes_only: Annotated[
        bool,
        typer.Option("--shapes-only", help="Build --model without memory; all weights nonzero."),
    ] = False,
    trust: options.Trust = False,
    layers: Annotated[str, typer.Option(metavar="N|all", help="Costliest layers to show.")] = "12",
    second_opinion: Annotated[
        bool, typer.Option("--second-opinion", help="Hold fvcore and thop against the count.")
    ] = False,
    require_quality: Annotated[
        bool, typer.Option("--require-quality", help="Fail unless the track's threshold is met.")
    ] = False,
    save: Annotated[bool, typer.Option("--save", help="Write the receipt to reports/.")] = False,
    device: Annotated[str, typer.Option(help="Where the weights are held: cpu, cuda, …")] = "cpu",
    threads: options.TorchThreads = None,
    json: options.Json = False,
) -> Task:
    """Say what a network costs, against the track's baseline."""
    from micronet.commands import score as verb

    request = verb.Request(
        target=target,
        model=model,
        weights=weights,
        trust=trust,
        shapes_only=shapes_only,
        rules=rules,
        track=track,
        input_shape=input_shape,
        bits=bits,
        layers=layers,
        second_opinion=second_opinion,
        require_quality=require_quality,
        save=save,
        device=device,
        threads=threads,
        json=json,
    )
    return lambda: verb.run(request)
