"""``micronet list``: the wirings there is a card for, and whether their weights are here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from micronet.checkpoints.card import cards
from micronet.commands import console
from micronet.commands.presence import presence

if TYPE_CHECKING:
    from micronet.checkpoints.card import Card


def run(*, json: bool) -> int:
    """Write one row a card."""
    rows = [summary(card) for card in cards()]
    if json:
        console.write_json(rows)
        return 0
    table = console.plain_table("")
    for title in ("name", "title", "track", "weights", "claims"):
        table.add_column(title, no_wrap=title not in ("title", "claims"), overflow="fold")
    for row in rows:
        claims = ", ".join(f"{claim['quantity']} {claim['stated']}" for claim in row["claims"])
        table.add_row(row["name"], row["title"], row["track"], row["here"] or "none", claims)
    console.write([table])
    return 0


def summary(card: Card) -> dict[str, Any]:
    """What the list says of one card; ``here`` is "built", "fetched", "packaged" or null."""
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
