"""``micronet build``: a card's wiring with untrained weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micronet.checkpoints.card import card as card_called
from micronet.checkpoints.digest import sha256_of
from micronet.commands import console, numbers
from micronet.commands.render import UNTRAINED

if TYPE_CHECKING:
    from pathlib import Path


def run(name: str, *, out: Path | None, seed: int | None, json: bool) -> int:
    """Build the card called ``name`` into ``out`` and say where the file is and what it is."""
    card = card_called(name)
    from micronet.checkpoints.build import build_checkpoint

    path = build_checkpoint(card, out, seed=seed)
    size, digest = path.stat().st_size, sha256_of(path)
    if json:
        console.write_json(
            {"path": str(path), "bytes": size, "sha256": digest, "weights": "untrained"}
        )
    else:
        console.write([f"{path}  {numbers.file_size(size)}", f"sha256 {digest}", UNTRAINED])
    return 0
