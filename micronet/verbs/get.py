"""Find and get wirings: ``list``, ``show``, ``fetch``, ``build``."""

from pathlib import Path
from typing import Annotated

import typer

from micronet import options
from micronet.verbs.app import GET, Task, app


@app.command("list", rich_help_panel=GET)
def _list(*, json: options.Json = False) -> Task:
    """List the wirings, and whether their weights are here."""
    from micronet.commands import list as verb

    return lambda: verb.run(json=json)


@app.command("show", rich_help_panel=GET)
def _show(card: options.Card, *, json: options.Json = False) -> Task:
    """Show one card in full: architecture, recipe, claims, sources."""
    from micronet.commands import show as verb

    return lambda: verb.run(card, json=json)


@app.command("fetch", rich_help_panel=GET)
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


@app.command("build", rich_help_panel=GET)
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
