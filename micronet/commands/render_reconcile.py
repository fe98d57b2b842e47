"""A reconciled number on the terminal: the sum that gives it, or the dialects around it."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from rich.text import Text

from micronet.audit.names import long_name, short_name
from micronet.audit.words import shown, term_words
from micronet.commands.console import plain_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from micronet.audit.evidence import Count
    from micronet.audit.reconcile import Match
    from micronet.audit.reconciled import Reconciled

_MOST_TERMS = 4


def reconcile_view(found: Reconciled) -> Iterable[RenderableType]:
    """What ``found`` says, line by line."""
    if found.matches:
        yield Text(_headline(found.matches[0].count), style="bold green")
        yield _sum(_terms(found.matches[0].count), _fits(found.matches[0], found))
        yield from _also(found)
        return
    said = "No dialect counts" if not found.explanations else "No dialect as it is counts"
    yield Text(f"{said} {found.stated} for {found.target['name']}.", style="bold red")
    for match in found.explanations:
        yield Text(f"With {_steps(match)}, {_base(match.count)} it is:", style="bold green")
        yield _sum(_changes(match), _fits(match, found))
    for match in found.coincidences:
        with_ = f"with {_steps(match)}, " if match.steps else ""
        much = f"{float(match.chance):.1g} such were to be expected"
        how = f"{shown(match.number)} {_fits(match, found)}"
        line = f"Perhaps by accident ({much}): {with_}{_base(match.count)} {how}"
        yield Text(line, style="dim")
    if found.nearest:
        yield _around(found)


def _headline(count: Count) -> str:
    terms = count.formula
    if not 0 < len(terms) <= _MOST_TERMS:
        return f"{long_name(count.dialect)}: {shown(count.number)} {count.quantity}"
    return f"{long_name(count.dialect)}: {' + '.join(term_words(term) for term in terms)}"


def _base(count: Count) -> str:
    return f"{count.quantity} by {long_name(count.dialect)}"


def _steps(match: Match) -> str:
    return " and ".join(step.what for step in match.steps)


def _fits(match: Match, found: Reconciled) -> str:
    return f"{match.printed_by(found.printed)} {found.stated}"


def _terms(count: Count) -> list[tuple[Fraction, str]]:
    """(product, what it is the product of) of each term; the whole number where there is none."""
    if not count.formula:
        return [(count.number, count.quantity)]
    return [
        (term.times * term.count, term.name if term.times == 1 else term_words(term))
        for term in count.formula
    ]


def _changes(match: Match) -> list[tuple[Fraction, str]]:
    base = (match.count.number, _base(match.count))
    return [base, *((step.change, step.what) for step in match.steps)]


def _sum(rows: Sequence[tuple[Fraction, str]], fits: str) -> RenderableType:
    """Rows that add up to the last."""
    total = sum((number for number, _ in rows), Fraction(0))
    if len(rows) == 1:
        return Text(f"{next(_rounded([total]))} {fits}")
    table = plain_table("")
    table.show_header = False
    table.add_column(justify="right")
    table.add_column()
    *parts, whole = _rounded([*(number for number, _ in rows), -total])
    for number, (_, name) in zip(parts, rows, strict=True):
        table.add_row(number, name)
    whole = whole.removeprefix("-")
    table.add_row("─" * len(whole))
    table.add_row(whole, fits)
    return table


def _rounded(numbers: Sequence[Fraction]) -> Iterator[str]:
    """Numbers as text; where they are rounded, so that they still add up."""
    decimals = 5 if all(abs(number) < 1000 for number in numbers) else 2
    if all(number.denominator == 1 for number in numbers):
        decimals = 0
    before = Fraction(0)
    for number in numbers:
        after = before + number
        change = round(after, decimals) - round(before, decimals)
        yield f"{Decimal(change.numerator) / change.denominator:,.{decimals}f}"
        before = after


def _also(found: Reconciled) -> Iterator[Text]:
    """Other dialects that print the same digits."""
    first, *more = found.matches
    same = [short_name(m.count.dialect) for m in more if m.number == first.number]
    if same:
        yield Text(f"{' and '.join(same)} count{'s' * (len(same) == 1)} the same", style="dim")
    for match in more:
        if match.number != first.number:
            line = f"also {_headline(match.count)} = {shown(match.number)}, which {_fits(match, found)}"
            yield Text(line, style="dim")


def _around(found: Reconciled) -> Table:
    """The dialects' numbers, and what they would need to be the stated one."""
    table = plain_table("The nearest")
    for name in ("dialect", "quantity"):
        table.add_column(name)
    table.add_column("counts", justify="right")
    table.add_column(f"for {found.stated}")
    for count in found.nearest:
        missing = found.printed.number - count.number
        share = abs(missing) / count.number
        said = f" ({float(share):.2%})" if share <= 1 else ""
        verb = "add" if missing > 0 else "leave out"
        cells = (short_name(count.dialect), count.quantity, shown(count.number))
        table.add_row(*cells, f"{verb} {shown(abs(missing))}{said}")
    return table
