"""Whether a card's weights are on this machine, told without importing torch."""

from __future__ import annotations

from micronet.checkpoints.digest import lock_of
from micronet.checkpoints.folder import checkpoint_path


def presence(name: str) -> str | None:
    """How the file of the card ``name`` came here, "fetched" or "built"; None if it is not here."""
    path = checkpoint_path(name)
    if not path.is_file():
        return None
    return "fetched" if lock_of(path).is_file() else "built"
