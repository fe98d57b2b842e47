"""A reconciled number on the terminal: the sum that gives it, or the dialects around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from micronet.audit.words import off, shown, term_words
from micronet.commands.console import plain_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import RenderableType
    from rich.table import Table

    from micronet.audit.reconcile import Match
    from micronet.audit.reconciled import Reconciled


def reconcile_view(found: Reconciled) -> Iterable[RenderableType]:
    """What ``found`` says, line by line."""
    if found.matches:
        first, *more = found.matches
        yield Text(_headline(first), style="bold green")
        yield _sum(first, found)
        for match in more:
            how = match.printed_by(found.printed)
            yield Text(f"also {_headline(match)}, which {how} {found.stated}", style="dim")
        return
    yield Text(f"No dialect counts {found.stated} for {found.target['name']}.", style="bold red")
    for match in found.explanations:
        yield Text(_changed(match, found))
    for match in found.coincidences:
        yield Text(f"{_changed(match, found)}: as likely a coincidence", style="dim")
    yield _around(found)


def _headline(match: Match) -> str:
    terms = match.count.formula
    said = " + ".join(term_words(term) for term in terms) if terms else shown(match.number)
    unit = "" if terms else f" {match.count.quantity}"
    return f"{match.count.dialect}'s dialect: {said}{unit}"


def _changed(match: Match, found: Reconciled) -> str:
    steps = " and ".join(step.what for step in match.steps)
    fits = match.printed_by(found.printed)
    count = match.count
    return (
        f"{count.dialect} ({count.quantity}) counts {shown(count.number)}; "
        f"with {steps} it is {shown(match.number)}, which {fits} {found.stated}"
    )


def _sum(match: Match, found: Reconciled) -> Table:
    table = plain_table("")
    table.show_header = False
    for column in ("right", "right", "left"):
        table.add_column(justify="right" if column == "right" else "left")
    for times, count, name, product in _terms(match):
        table.add_row(times, count, f"{name} = {product}" if times else name)
    table.add_row("", shown(match.number), f"{match.printed_by(found.printed)} {found.stated}")
    return table


def _terms(match: Match) -> Iterator[tuple[str, str, str, str]]:
    for term in match.count.formula:
        times = "" if term.times == 1 else f"{term.times} ×"
        yield times, f"{term.count:,}", term.name, shown(term.times * term.count)


def _around(found: Reconciled) -> Table:
    table = plain_table("The nearest")
    table.add_column("dialect")
    table.add_column("quantity")
    table.add_column("counts", justify="right")
    for count in found.nearest:
        table.add_row(count.dialect, count.quantity, off(count, found.printed))
    return table
