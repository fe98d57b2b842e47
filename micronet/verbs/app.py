"""The command line itself, the groups its help shows, and what parsing gives: a task.

Parsing a command line gives a *task*, a function without arguments; running it gives the exit code.
So nothing of a verb is imported, torch above all, before its command line is known to be right.
"""

from collections.abc import Callable
from typing import Annotated, Final

import typer

Task = Callable[[], int]

USAGE: Final = 2

GET: Final = "Find and get wirings"
JUDGE: Final = "Judge"
SUBMIT: Final = "Report and submit"
IMPROVE: Final = "Improve"

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
