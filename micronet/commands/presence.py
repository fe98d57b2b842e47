"""Whether a card's weights are on this machine, told without importing torch."""

from __future__ import annotations

from micronet.checkpoints.card import card
from micronet.checkpoints.whereabouts import kept


def presence(name: str) -> str | None:
    """How the file of the card ``name`` came here, as ``Kept`` says it; None without it."""
    found = kept(card(name))
    return None if found is None else found.how
