"""Where commands write: JSON or tables on stdout, remarks and progress on stderr."""

from __future__ import annotations

import json
import sys
from typing import IO, TYPE_CHECKING, Final

from rich import box
from rich.console import Console, Group
from rich.measure import Measurement
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import RenderableType

    Document = Mapping[str, object] | Sequence[Mapping[str, object]]

_UNBOUNDED: Final = 10_000
MIN_COLUMNS: Final = 100  # of output that goes to a file or a pipe; 80 would break the layer table


def write_json(document: Document) -> None:
    """Write ``document`` to stdout and nothing else, in ASCII, which every terminal can show."""
    sys.stdout.write(json_text(document, ascii_only=True))


def write_text(text: str) -> None:
    """Write ``text`` to stdout as it is: Markdown, CSV, a page."""
    sys.stdout.write(text)


def json_text(document: Document, *, ascii_only: bool = False) -> str:
    """JSON as receipts keep it: sorted keys, two spaces, a newline at the end, no NaN."""
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=ascii_only, allow_nan=False)
    return f"{text}\n"


def screen(file: IO[str] | None = None, width: int | None = None) -> Console:
    """The console of results: stdout, or ``file``, as a terminal of ``width`` columns if given.

    Names come from other people's files, so nothing in them is taken for markup.
    """
    return Console(
        file=file,
        width=width,
        force_terminal=None if width is None else True,
        markup=False,
        emoji=False,
        highlight=False,
    )


def write(renderables: Iterable[RenderableType], console: Console | None = None) -> None:
    """Write tables and text to stdout, in colour on a terminal only.

    Off a terminal the output is as wide as it needs to be, at least ``MIN_COLUMNS``, and no line
    ends in spaces.
    """
    console = screen() if console is None else console
    group = Group(*renderables)
    if console.is_terminal:
        console.print(group)
        return
    unbounded = console.options.update(width=_UNBOUNDED, max_width=_UNBOUNDED)
    console.width = max(MIN_COLUMNS, Measurement.get(console, unbounded, group).maximum)
    with console.capture() as page:
        console.print(group)
    console.file.write("".join(f"{line.rstrip()}\n" for line in page.get().splitlines()))


def plain_table(title: str) -> Table:
    """An empty table in the one style all commands share: a rule under the head, no frame."""
    return Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )


def terminal_columns() -> int | None:
    """How wide the terminal on stdout is; None where stdout is a file or a pipe."""
    console = screen()
    return console.width if console.is_terminal else None


def say(line: str) -> None:
    """Write a remark to stderr: stdout holds results only."""
    sys.stderr.write(f"{line}\n")


def progress_console() -> Console:
    """The console of progress bars: stderr, for the same reason."""
    return Console(stderr=True)
