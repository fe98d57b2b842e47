"""Submit: ``package``, ``verify``."""

from pathlib import Path
from typing import Annotated

import typer

from micronet import options
from micronet.verbs.app import SUBMIT, Task, app

_AGAIN = "Evaluating again"


@app.command("package", rich_help_panel=SUBMIT)
def _package(
    target: options.Target = None,
    *,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE.zip", help="The package.")],
    model: options.Model = None,
    weights: options.Weights = None,
    rules: options.Rules = None,
    track: options.Track = None,
    input_shape: options.Input = None,
    evaluation: Annotated[
        Path | None,
        typer.Option(
            metavar="RECEIPT", help="Its accuracy; default: what fits in reports/receipts."
        ),
    ] = None,
    code: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Further sources; the factory's own file is in anyway."),
    ] = None,
    approach: Annotated[
        Path | None, typer.Option(metavar="FILE.md", help="Your text on the approach.")
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(metavar="SPDX|FILE", help="Of the entry, or its text; default: the card's."),
    ] = None,
    author: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Who made it; may be repeated.")
    ] = None,
    sign: Annotated[
        Path | None, typer.Option(metavar="KEY", help="Sign with this SSH key (Ed25519).")
    ] = None,
    json: options.Json = False,
) -> Task:
    """Pack a submission: weights, code, write-up, score, accuracy, manifest."""
    from micronet.commands import package as verb

    request = verb.Request(
        target=target,
        out=out,
        model=model,
        weights=weights,
        rules=rules,
        track=track,
        input_shape=input_shape,
        evaluation=evaluation,
        code=tuple(code or ()),
        approach=approach,
        licence=licence,
        authors=tuple(author or ()),
        sign=sign,
        json=json,
    )
    return lambda: verb.run(request)


@app.command("verify", rich_help_panel=SUBMIT)
def _verify(
    packages: Annotated[list[Path], typer.Argument(metavar="FILE.zip", help="The packages.")],
    *,
    model: options.Model = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Evaluate answers again on these.", rich_help_panel=_AGAIN
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Labels of a flat folder of images.", rich_help_panel=_AGAIN
        ),
    ] = None,
    images: Annotated[
        int,
        typer.Option(
            min=1, help="How many, drawn by the package's digest.", rich_help_panel=_AGAIN
        ),
    ] = 100,
    every: Annotated[
        bool, typer.Option("--all", help="All of them.", rich_help_panel=_AGAIN)
    ] = False,
    threads: options.Threads = None,
    signer: Annotated[
        Path | None,
        typer.Option(metavar="KEY.pub", help="Whose signature it must have, or allowed signers."),
    ] = None,
    require_quality: Annotated[
        bool, typer.Option("--require-quality", help="Fail unless the track's threshold is met.")
    ] = False,
    json: options.Json = False,
) -> Task:
    """Judge packages, trusting and running nothing in them."""
    from micronet.commands import verify as verb

    request = verb.Request(
        packages=tuple(packages),
        model=model,
        data=data,
        labels=labels,
        images=None if every else images,
        threads=threads,
        signer=signer,
        require_quality=require_quality,
        json=json,
    )
    return lambda: verb.run(request)
