"""``micronet list``: the wirings there is a card for, and whether their weights are here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from micronet.checkpoints.card import cards
from micronet.commands import console
from micronet.commands.presence import presence
from micronet.scoring.tracks import UNTRACKED, tracks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from micronet.checkpoints.card import Card


def run(*, json: bool) -> int:
    """Write one row a card, by name; for people a table a track, and what is on no track last."""
    rows = [summary(card) for card in cards()]
    if json:
        console.write_json(rows)
        return 0
    titles = {track.name: track.name for track in tracks()}
    titles |= {name: f"{name}, no track of the challenge" for name in sorted(UNTRACKED)}
    tables = [_table(titles[name], [r for r in rows if r["track"] == name]) for name in titles]
    console.write([part for table in tables for part in ("", table)][1:])
    return 0


def _table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """The cards of one track; without a column of claims where nothing is claimed."""
    claimed = any(row["claims"] for row in rows)
    table = console.plain_table(title)
    for column in ("name", "title", "weights", "claims")[: 3 + claimed]:
        table.add_column(column, no_wrap=column not in ("title", "claims"), overflow="fold")
    for row in rows:
        claims = ", ".join(f"{claim['quantity']} {claim['stated']}" for claim in row["claims"])
        cells = (row["name"], row["title"], row["here"] or "none", claims)
        table.add_row(*cells[: 3 + claimed])
    return table


def summary(card: Card) -> dict[str, Any]:
    """What the list says of one card; ``here`` is "shipped", "built", "fetched", "packaged" or null."""
    claims = [
        {
            "quantity": claim.quantity,
            "stated": claim.stated,
            "value": claim.value,
            "unit": claim.unit,
        }
        for claim in card.claims
    ]
    return {
        "name": card.name,
        "title": card.title,
        "architecture": card.architecture,
        "track": card.track,
        "weights": card.weights,
        "here": presence(card.name),
        "claims": claims,
    }
