"""Where checkpoints are kept: those that were fetched or built, and those that came with micronet."""

from __future__ import annotations

import os
from pathlib import Path

from micronet import shelf
from micronet.errors import MicronetError


def checkpoints_dir() -> Path:
    """The writable folder for fetched and built files; it is made if need be.

    $MICRONET_CHECKPOINTS if set; in a checkout, its ``checkpoints`` folder; else the user's cache.
    """
    chosen = os.environ.get("MICRONET_CHECKPOINTS")
    if chosen:
        return _made(Path(chosen).expanduser())
    beside_the_cards = shelf.folder("checkpoints")
    if beside_the_cards.parent.name != "_shelf" and os.access(beside_the_cards, os.W_OK):
        return beside_the_cards
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return _made(Path(cache) / "micronet" / "checkpoints")


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MicronetError(
            f"{folder}: cannot be made: {error.strerror}.",
            "Set MICRONET_CHECKPOINTS to a folder that can be written.",
        ) from error
    return folder


def shipped_path(name: str) -> Path:
    """Where the trained weights of the card ``name`` lie if they came with micronet: beside it."""
    return shelf.folder("checkpoints") / f"{name}.pt"


def checkpoint_path(name: str) -> Path:
    """Where the file of the card ``name`` belongs, whether or not it is there."""
    return checkpoints_dir() / f"{name}.pt"
