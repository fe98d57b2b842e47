"""The claims that micronet comes with: the files in ``scoring/claims``, and the checkpoint cards.

A published figure stands in one place. A file that has more to say about a card's network takes
the card's claims along (``claims_from = "card"``), and the card is not listed again.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from micronet.audit.claims_file import load
from micronet.audit.entry import ClaimsFile, from_card
from micronet.checkpoints.card import cards
from micronet.shelf import folder


@cache
def shipped_claims() -> tuple[ClaimsFile, ...]:
    """Every shipped claim: the cards first, then the files by name."""
    files = tuple(load(path) for path in sorted((folder("scoring") / "claims").glob("*.toml")))
    taken = {entry.name for file in files for entry in file.entries}
    entries = (from_card(card) for card in cards() if card.claims and card.name not in taken)
    return (ClaimsFile("The claims on the checkpoint cards", Path("cards"), tuple(entries)), *files)
