"""Where a card's weights are on this machine, and how to get them if they are not. No torch here."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from micronet.checkpoints.card import cards
from micronet.checkpoints.digest import lock_of, sha256_of
from micronet.checkpoints.folder import checkpoint_path, shipped_path
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from micronet.checkpoints.card import Card, Source

OFFERED: Final = ("released", "trained")  # weights that somebody has
_INSTALL: Final = "pip install --force-reinstall"


@dataclass(frozen=True)
class Kept:
    """A card's file. ``how`` it came here: "shipped", "fetched", "built" or "packaged".

    ``source`` is the card's that pins it, if it came with micronet or in a package.
    """

    path: Path
    how: str
    source: Source | None = None


def kept(card: Card) -> Kept | None:
    """The file of ``card``: what came with micronet, what was fetched or built, or a package's."""
    shipped, path = shipped_path(card.name), checkpoint_path(card.name)
    for source in card.sources:
        if source.kind == "shipped" and shipped.is_file():
            return Kept(shipped, "shipped", source)
    if path.is_file():
        return Kept(path, "fetched" if lock_of(path).is_file() else "built")
    for source in card.sources:
        inside = packaged(source)
        if inside is not None:
            return Kept(inside, "packaged", source)
    return None


def packaged(source: Source) -> Path | None:
    """The source's file in an installed package, which is looked up and never imported."""
    if source.kind != "package" or source.package is None or source.file is None:
        return None
    try:
        found = importlib.util.find_spec(source.package)
    except (ImportError, ValueError):  # ValueError: imported under that name by other means
        return None
    folders = None if found is None else found.submodule_search_locations
    paths = (Path(folder, source.file) for folder in folders or ())
    return next((path for path in paths if path.is_file()), None)


def check_pinned(found: Kept, card: Card) -> str | None:
    """What to tell of where weights are from; MicronetError unless they are those the card pins."""
    source = found.source
    if source is None:  # fetched files have a lock, built ones are nobody's
        return None
    shipped = source.kind == "shipped"
    sha256 = sha256_of(found.path)
    if sha256 != source.sha256:
        raise MicronetError(
            f"{found.path}: sha256 {sha256}, expected {source.sha256} (the card {card.name}).",
            f"Get it again: {_restore(card) if shipped else f'{_INSTALL} {_distribution(source)}'}",
        )
    if shipped:
        return None
    return f"the weights are {source.file} of the Python package {_distribution(source)}"


def _distribution(source: Source) -> str:
    """As pip names it, "name==version", or the name alone where no version is recorded."""
    try:
        return f"{source.package}=={importlib.metadata.version(source.package or '')}"
    except importlib.metadata.PackageNotFoundError:
        return str(source.package)


def how_to_get(card: Card) -> str:
    """The next step for whoever lacks the weights of ``card``."""
    offered = card.weights in OFFERED
    return f"{'Get' if offered else 'Build'} it: {command_for(card)}"


def command_for(card: Card) -> str:
    """The command that brings the weights of ``card``, or builds its wiring untrained."""
    if any(source.kind == "package" for source in card.sources):
        return "pip install 'micronet-wirings[zoo]'"
    if card.weights == "trained":
        return _restore(card)
    return f"micronet {'fetch' if card.weights == 'released' else 'build'} {card.name}"


def _restore(card: Card) -> str:
    """The command that brings back the trained weights that came with micronet."""
    path = shipped_path(card.name)
    if path.parent.parent.name == "_shelf":
        return f"{_INSTALL} micronet-wirings"
    return f"git -C {shlex.quote(str(path.parent))} checkout -- {path.name}"


def card_of(path: Path, sha256: str | None = None) -> Card | None:
    """The card whose published file has this ``sha256``, else the one that ``path`` is named as."""
    if sha256 is not None:
        for each in cards():
            if any(source.sha256 == sha256 for source in each.sources):
                return each
    return next((each for each in cards() if each.name == path.stem), None)
