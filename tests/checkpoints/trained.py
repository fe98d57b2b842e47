"""A shelf of a test's own with one card, "own", whose trained weights lie beside it: stand-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micronet import shelf
from micronet.checkpoints.build import seeded_model
from micronet.checkpoints.card import load_card
from micronet.checkpoints.digest import sha256_of
from micronet.checkpoints.native import Checkpoint, write_native

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NAME = "own"
LIKE = "tiny_static_dnw_short"
SOURCE = shelf.folder("checkpoints") / f"{LIKE}.toml"


def stand_in(path: Path, seed: int = 1) -> Path:
    """A file that says of itself that it was trained, in ``path``."""
    known = load_card(SOURCE)
    tensors = seeded_model(known.architecture, known.config, seed).state_dict()
    provenance = {"weights": "trained", "card": NAME, "made_by": "a test"}
    write_native(path, Checkpoint(known.architecture, known.config, tensors, provenance))
    return path


def card_text(sha256: str, name: str = NAME) -> str:
    """The card ``name``: as the one it is like, but trained, with its file pinned."""
    head, rest = SOURCE.read_text(encoding="utf-8").split("\n[config]", 1)
    head = head.replace(f'"{LIKE}"', f'"{name}"')
    lines = [line for line in head.splitlines() if not line.startswith("weights = ")]
    pin = f'\n[[sources]]\nkind = "shipped"\nsha256 = "{sha256}"\n'
    tables = rest.split("\n[[sources]]")[0]
    return "\n".join([*lines, 'weights = "trained"', "\n[config]"]) + tables + pin


def shelve(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make ``folder`` the shelf of cards, with the card and its file; the path of the file."""
    folder.mkdir(parents=True)
    path = stand_in(folder / f"{NAME}.pt")
    (folder / f"{NAME}.toml").write_text(card_text(sha256_of(path)), encoding="utf-8")
    found = shelf.folder
    monkeypatch.setattr(
        shelf, "folder", lambda name: folder if name == "checkpoints" else found(name)
    )
    monkeypatch.delenv("MICRONET_CHECKPOINTS", raising=False)
    return path
