"""What the user names, a file or a card, and the file that this means. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from micronet.checkpoints.card import Card, card
from micronet.checkpoints.whereabouts import card_of, check_pinned, how_to_get, kept
from micronet.errors import MicronetError

_SUFFIXES: Final = frozenset((".pt", ".pth", ".t7", ".pt2", ".safetensors"))


@dataclass(frozen=True)
class Named:
    """A file, a card, or the file of a card; ``note`` says where a card's file is from.

    ``given``: the file is the user's own choice for the card, so its place proves nothing.
    """

    file: Path | None
    card: Card | None = None
    note: str | None = None
    given: bool = False


def named(target: str | None, model: str | None, weights: Path | None) -> Named:
    """What ``target`` (a file or a card) means, or the file ``weights`` for it or for ``model``."""
    if weights is None:
        return _alone(str(target))
    if not weights.exists():
        raise MicronetError(f"There is no file {weights}.")
    if target is None:
        return Named(weights)
    if _is_file(target):
        raise MicronetError(f"Two files of weights: {target} and --weights {weights}.", "Give one.")
    known = card(target)
    if model is not None:
        raise MicronetError(
            f"--weights {weights}: for the card {target} or for --model {model}?", "Name one."
        )
    return Named(weights, known, given=True)


def _alone(target: str) -> Named:
    path = Path(target)
    if path.exists():
        return Named(path)
    if _is_file(target):
        missing = card_of(path)
        raise MicronetError(
            f"There is no file {target}.", None if missing is None else how_to_get(missing)
        )
    if ":" in target:
        raise MicronetError(
            f"{target} names an architecture, where a card or a file is expected.",
            f"Name it so: --model {target}",
        )
    known = card(target)
    here = kept(known)
    if here is None:
        return Named(None, known)
    return Named(here.path, known, check_pinned(here, known))


def _is_file(target: str) -> bool:
    path = Path(target)
    return path.exists() or path.suffix in _SUFFIXES or len(path.parts) > 1
