"""From a number as it was claimed to the recount, difference by difference."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from micronet.errors import MicronetError
from micronet.reports.score_receipt import LARGEST
from micronet.reports.table import Cell, Column, Row, Table, add_up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from micronet.reports.material import Network

COLUMNS: Final = (
    Column("difference", "Difference", text=True, prose=True),
    Column("parameters", "Parameters", "32 bits", signed=True, gives_way=2),
    Column("operations", "Operations", signed=True, gives_way=1),
    Column("score", "Score", decimals=6, signed=True),
)
TITLE: Final = "From the claim to the recount: "


def scored_waterfall(network: Network) -> Table | None:
    """The steps of a score receipt, the first as claimed; None where it has none.

    MicronetError if they do not lead to what the receipt counts.
    """
    receipt, track = network.receipt, network.track
    steps = receipt.document.get("waterfall")
    if not steps:
        return None

    numbers = [(Fraction(step["parameters"]), Fraction(step["operations"])) for step in steps]
    names = [step["name"] for step in steps]
    # A score is linear in both, so the scores of the steps add up to the score.
    scored = [(*each, track.score(*each).total) for each in numbers]
    due = (receipt.parameters, receipt.operations, receipt.score(track).total)
    return _table(receipt.key, receipt.name, list(zip(names, scored, strict=True)), due)


def stated_waterfall(name: str, title: str, steps: Sequence[Mapping[str, Any]]) -> Table:
    """The steps of an audit, whose scores are rounded; the last line is their sum."""
    keys = ("parameters", "operations", "score")
    numbers = [tuple(number(step[key]) or Fraction(0) for key in keys) for step in steps]
    due = tuple(sum(column, Fraction(0)) for column in zip(*numbers, strict=True))
    names = [str(step["name"]) for step in steps]
    return _table(name, title, list(zip(names, numbers, strict=True)), due)


def _table(
    name: str,
    title: str,
    steps: Sequence[tuple[str, tuple[Fraction, ...]]],
    due: tuple[Fraction, ...],
) -> Table:
    """The claim and the recount are numbers, what lies between them differences."""
    rows = tuple(_row(step, values, whole=not place) for place, (step, values) in enumerate(steps))
    total = _row("recount", due, whole=True)
    return add_up(Table(f"waterfall-{name}", f"{TITLE}{title}", COLUMNS, rows, total))


def _row(name: str, values: tuple[Fraction, ...], *, whole: bool) -> Row:
    return Row((Cell(name), *(Cell(value, whole=whole) for value in values)))


def number(value: float | str | None) -> Fraction | None:
    """A number of a document: an int, a float, or an exact ratio such as "4178689/2"; None stays.

    MicronetError for anything else.
    """
    if value is None:
        return None
    try:
        found = Fraction(value)
    except (ValueError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise MicronetError(f"{value!r} is no number, in an audit.") from error
    if abs(found) > LARGEST:
        raise MicronetError(f"{value!r} is above {LARGEST:.0e}, in an audit.")
    return found
