"""The one place that turns errors into exit codes; ``micronet.verbs`` has every verb's options."""

import io
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import typer

from micronet.errors import MicronetError
from micronet.verbs.app import USAGE, app

__all__ = ["app", "entry", "main"]

INTERRUPTED: Final = 130  # 128 + SIGINT, as shells report it
PIPE_CLOSED: Final = 141  # 128 + SIGPIPE, as shells report it
CRASHED: Final = 2  # nothing was judged

# Importing a group registers its verbs, in the order of the help.
for group in ("get", "score", "audit", "evaluate", "report", "package", "slim", "train"):
    import_module(f"micronet.verbs.{group}")


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
