"""What others say beside what was counted: claims, reference networks, second opinions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from rich.text import Text

from micronet.commands import numbers
from micronet.commands.console import plain_table

if TYPE_CHECKING:
    from rich.table import Table

Row = Mapping[str, Any]

_PROSE_WIDTH = 44
_STYLES = {
    "holds": "green",
    "holds in another dialect": "yellow",
    "fails": "bold red",
    "unjudged": "dim",
}


def claims_table(claims: Sequence[Row]) -> Table:
    """Each published number beside ours, the verdict, and the difference's explanation."""
    table = plain_table("claims")
    for title in ("quantity", "claimed", "found", "unit", "verdict", "explanation", "source"):
        wraps = title in ("explanation", "source")
        right = title in ("claimed", "found")
        side: Literal["left", "right"] = "right" if right else "left"
        table.add_column(
            title,
            justify=side,
            no_wrap=not wraps,
            overflow="fold",
            max_width=_PROSE_WIDTH if wraps else None,
        )
    for claim in claims:
        table.add_row(
            claim["quantity"],
            _plain(claim["claimed"]),
            _plain(claim["found"]),
            claim["unit"] or "",
            Text(claim["verdict"], style=_STYLES.get(claim["verdict"], "")),
            claim["explanation"] or "",
            claim["source"] or "",
        )
    return table


def reference_table(references: Sequence[Row]) -> Table:
    """Other networks' costs under the same rules, to compare with."""
    table = plain_table("for comparison")
    table.add_column("network", no_wrap=True)
    for title in ("parameters", "operations", "score"):
        table.add_column(title, justify="right", no_wrap=True)
    for network in references:
        table.add_row(
            network["name"],
            numbers.count(network["parameters"]),
            numbers.count(network["operations"]),
            numbers.score(network["score"]),
        )
    return table


def waterfall_table(steps: Sequence[Row]) -> Table:
    """From the claimed score to ours, difference by difference; the last line is their sum."""
    table = plain_table("from the claimed score to the recount")
    table.add_column("difference", no_wrap=True)
    for title in ("parameters", "operations", "score"):
        table.add_column(title, justify="right", no_wrap=True)
    for step in steps:
        counts = (numbers.count(step[key], decimals=1) for key in ("parameters", "operations"))
        table.add_row(step["name"], *counts, f"{step['score']:+.6f}")
    sums = {key: sum(step[key] for step in steps) for key in ("parameters", "operations", "score")}
    counts = (numbers.count(sums[key], decimals=1) for key in ("parameters", "operations"))
    table.add_row("recount", *counts, f"{sums['score']:.6f}", style="bold")
    return table


def second_opinion_table(opinions: Sequence[Row]) -> Table:
    """Our count, every difference by name, and the other counter's total that they lead to."""
    table = plain_table("second opinion")
    table.add_column("tool", no_wrap=True)
    table.add_column("", no_wrap=True)
    for title in ("times", "each", "operations"):
        table.add_column(title, justify="right", no_wrap=True)
    for opinion in opinions:
        if "total" not in opinion:
            table.add_row(opinion["tool"], opinion["note"], "", "", numbers.UNKNOWN)
            continue
        table.add_row(opinion["tool"], "ours", "", "", numbers.count(opinion["ours"]))
        for part in opinion["difference"]:
            times, each = part["count"], part["each"]
            row = (numbers.count(times), numbers.count(each), numbers.count(times * each))
            table.add_row("", part["name"], *row)
        table.add_row("", "its total", "", "", numbers.count(opinion["total"]))
    return table


def _plain(value: float | str | None) -> str:
    return value if isinstance(value, str) else numbers.count(value, decimals=5)
