"""Show what was found: ``report``."""

from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from micronet.verbs.app import SUBMIT, Task, app

Shown = Literal[
    "submission", "leaderboard", "training", "runs", "stages", "layers", "waterfall", "audit",
    "findings",
]  # fmt: skip
Format = Literal["terminal", "markdown", "latex", "csv", "json", "html"]
_ONE = "One table"


@app.command("report", rich_help_panel=SUBMIT)
def _report(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if reports/ is not up to date.")
    ] = False,
    figures: Annotated[
        bool, typer.Option("--figures", help="Also draw the figures as SVG, PNG and PDF.")
    ] = False,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where to write; receipts are read from reports/.")
    ] = Path("reports"),
    show: Annotated[
        Shown | None,
        typer.Option(
            metavar="TABLE",
            help=f"Show it, write nothing: {', '.join(get_args(Shown))}.",
            rich_help_panel=_ONE,
        ),
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"{', '.join(get_args(Format))}.",
            rich_help_panel=_ONE,
        ),
    ] = None,
    receipt: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of this network or track only.", rich_help_panel=_ONE),
    ] = None,
) -> Task:
    """Make the submission's tables and figures from reports/receipts."""
    from micronet.commands import report as verb

    request = verb.Request(
        check=check, figures=figures, out=out, show=show, format=format_, receipt=receipt
    )
    return lambda: verb.run(request)
