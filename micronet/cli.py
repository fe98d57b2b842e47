"""Parse and dispatch: every verb's options, and the one place that turns errors into exit codes.

Parsing a command line gives a *task*, a function without arguments; running it gives the exit code.
So nothing of a verb is imported, torch above all, before its command line is known to be right.
"""

import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from micronet import options
from micronet.errors import MicronetError

Task = Callable[[], int]

INTERRUPTED: Final = 130  # 128 + SIGINT, as shells report it
PIPE_CLOSED: Final = 141  # 128 + SIGPIPE, as shells report it
USAGE: Final = 2
CRASHED: Final = 2  # nothing was judged

_GET = "Find and get wirings"
_JUDGE = "Judge"
_IMPROVE = "Improve"

app = typer.Typer(
    name="micronet",
    help="The referee for efficient networks: what a checkpoint costs, exactly.",
    epilog="Exit codes: 0 all well, 1 a finding, 2 could not judge.",
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> Task | None:
    if version:
        from micronet import __version__

        typer.echo(f"micronet {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(USAGE)
    return None


@app.command("list", rich_help_panel=_GET)
def _list(*, json: options.Json = False) -> Task:
    """List the wirings, and whether their weights are here."""
    from micronet.commands import list as verb

    return lambda: verb.run(json=json)


@app.command("show", rich_help_panel=_GET)
def _show(card: options.Card, *, json: options.Json = False) -> Task:
    """Show one card in full: architecture, recipe, claims, sources."""
    from micronet.commands import show as verb

    return lambda: verb.run(card, json=json)


@app.command("fetch", rich_help_panel=_GET)
def _fetch(
    card: options.Card,
    *,
    from_file: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Take this file, no download.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Download from here, not the card's.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Where to put it.")] = None,
    json: options.Json = False,
) -> Task:
    """Fetch a card's published weights and check their digest."""
    from micronet.commands import fetch as verb

    return lambda: verb.run(card, from_file=from_file, url=url, out=out, json=json)


@app.command("build", rich_help_panel=_GET)
def _build(
    card: options.Card,
    *,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Where to put it.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the initialisation.")] = None,
    json: options.Json = False,
) -> Task:
    """Build a card's wiring with untrained weights."""
    from micronet.commands import build as verb

    return lambda: verb.run(card, out=out, seed=seed, json=json)


@app.command("score", rich_help_panel=_JUDGE)
def _score(
    target: options.Target = None,
    *,
    model: options.Model = None,
    weights: options.Weights = None,
    rules: Annotated[
        str | None, typer.Option(help="Rule book; default: the card's, else micronet2019.")
    ] = None,
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
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of torch.")] = None,
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


@app.command("evaluate", rich_help_panel=_JUDGE)
def _evaluate(
    target: options.Target = None,
    *,
    data: options.Data = None,
    model: options.Model = None,
    weights: options.Weights = None,
    labels: options.Labels = None,
    real: options.Real = None,
    vocabulary: options.Vocabulary = None,
    vocabulary_order: options.VocabularyOrder = "appearance",
    context: options.Context = None,
    stride: options.Stride = None,
    online: options.Online = False,
    track: options.Track = None,
    resize: options.Resize = None,
    crop: options.Crop = None,
    interpolation: options.Interpolation = None,
    decoder: options.Decoder = "pil",
    batch_size: options.BatchSize = 16,
    dtype: options.Dtype = "fp32",
    compiled: options.Compiled = False,
    strict: options.Strict = False,
    compare: options.Compare = None,
    predictions: options.Predictions = None,
    save: options.Save = True,
    trust: options.Trust = False,
    device: options.Device = "cpu",
    threads: options.Threads = None,
    json: options.Json = False,
) -> Task:
    """Measure what a network gets on a data set, and leave a receipt."""
    if compare is not None:
        from micronet.commands import compare as comparing

        return lambda: comparing.run(*compare, json=json)
    if data is None:
        raise MicronetError("There is nothing to evaluate on.", "Name the images: --data DIR")
    from micronet.commands import evaluate as verb
    from micronet.commands.evaluation_request import Request

    request = Request(
        target=target,
        data=data,
        model=model,
        weights=weights,
        trust=trust,
        labels=labels,
        real=real,
        vocabulary=vocabulary,
        vocabulary_order=vocabulary_order,
        context=context,
        stride=stride,
        online=online,
        track=track,
        resize=resize,
        crop=crop,
        interpolation=interpolation,
        decoder=decoder,
        batch_size=batch_size,
        dtype=dtype,
        compiled=compiled,
        strict=strict,
        save=save,
        predictions=predictions,
        device=device,
        threads=threads,
        json=json,
    )
    return lambda: verb.run(request)


@app.command("slim", rich_help_panel=_IMPROVE)
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; only a bug of ours gets a traceback."""
    try:
        task = app(args=arguments, prog_name="micronet", standalone_mode=False)
        code = task() if callable(task) else int(task or 0)
        sys.stdout.flush()
    except typer.TyperException as error:
        return _complain(error.format_message(), _usage_hint(error), USAGE)
    except MicronetError as error:
        return _complain(error.message, error.next_step, error.exit_code)
    except KeyboardInterrupt:
        return _complain("Interrupted.", None, INTERRUPTED)
    except BrokenPipeError:
        _discard_stdout()
        return PIPE_CLOSED
    return _complain("Interrupted.", None, code) if code == INTERRUPTED else code


def entry() -> None:
    """The console script: ``main`` with the process's arguments and exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # "×" on an ASCII terminal is no reason to stop
    try:
        code = main()
    except Exception:  # noqa: BLE001  # Python would exit with 1, which means a finding here
        traceback.print_exc()
        code = CRASHED
    sys.exit(code)


def _complain(message: str, next_step: str | None, code: int) -> int:
    lines = [f"micronet: {message}", *([next_step] if next_step else [])]
    sys.stderr.write("\n".join(lines) + "\n")
    return code


def _usage_hint(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    command = "micronet" if context is None else context.command_path
    return f"See: {command} --help"


def _discard_stdout() -> None:
    """Keep the interpreter from complaining at exit that nobody reads what is left to flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
