"""Get a card's released file: pinned by its sha256 the first time and ever after.

It is downloaded (and goes on where an earlier attempt stopped), or copied from a file of the user
or out of an installed Python package.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from micronet.checkpoints.digest import lock_of, pin, pinned, sha256_of
from micronet.checkpoints.download import Progress, download
from micronet.checkpoints.folder import checkpoint_path
from micronet.checkpoints.source import check_file
from micronet.checkpoints.whereabouts import check_pinned, how_to_get, kept, packaged
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from micronet.checkpoints.card import Card

__all__ = ["Progress", "fetch_checkpoint"]
_COPY_BYTES: Final = 2**20


def fetch_checkpoint(
    card: Card,
    *,
    from_file: Path | None = None,
    url: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    out: Path | None = None,
) -> Path:
    """The path of the card's weights, fetched, of the card's network and with the pinned sha256.

    Weights that came with micronet are there already. ``from_file`` takes a copy the user has,
    ``url`` another address. ``progress`` is called with
    bytes so far and bytes in all (None if unknown). A file that is there and matches its lock is
    not fetched again. An interrupted download leaves NAME.pt.part, from which the next one goes
    on. MicronetError says what failed; the file that was there before is then untouched.
    """
    here = kept(card)
    if here is not None and here.how == "shipped" and from_file is None and url is None:
        check_pinned(here, card)
        if out is None:
            return here.path
        from_file = here.path
    path = checkpoint_path(card.name) if out is None else out
    expected = pinned(path)
    wanted_anew = from_file is not None or url is not None or not path.is_file()
    if not wanted_anew and expected is not None and sha256_of(path) == expected:
        return path
    part = path.with_name(f"{path.name}.part")
    if from_file is None and url is None:
        from_file = _packaged(card)
    if from_file is not None:
        part = path.with_name(f"{path.name}.copy")  # a half download stays as it is
        _copy(from_file, part, progress)
    else:
        download(url or _address(card), part, progress)
    try:
        found = sha256_of(part)
        _check_pins(card, found, path, expected)
        _check_network(card, part, from_file or part)
    except MicronetError:
        part.unlink(missing_ok=True)
        raise
    part.replace(path)
    pin(path, found)
    return path


def _packaged(card: Card) -> Path | None:
    """The card's file in an installed package; MicronetError if the package is not here."""
    sources = [source for source in card.sources if source.kind == "package"]
    if not sources:
        return None
    inside = (packaged(source) for source in sources)
    found = next((path for path in inside if path is not None), None)
    if found is None:
        raise MicronetError(
            f"The weights of {card.name} come with the Python package {sources[0].package}, "
            "which is not installed.",
            how_to_get(card),
        )
    return found


def _address(card: Card) -> str:
    if card.weights == "never released":
        raise MicronetError(
            f"The weights of {card.name} were never released.",
            f"Build the wiring, untrained: micronet build {card.name}",
        )
    if card.weights == "trained":
        raise MicronetError(
            f"The weights of {card.name} come with micronet, from no address.", how_to_get(card)
        )
    for source in card.sources:
        if source.kind == "file" and source.url is not None:
            return source.url
    if not card.sources:
        raise MicronetError(
            f"{card.name} has no address for weights.",
            f"Its costs need none: micronet score {card.name}",
        )
    raise MicronetError(
        f"{card.name} has no address that a program can download from.",
        f"Get it from {card.sources[0].url} and run: micronet fetch {card.name} --from FILE",
    )


def _check_pins(card: Card, found: str, path: Path, locked: str | None) -> None:
    """MicronetError unless the sha256 ``found`` is what the lock and the card pin, if they do."""
    if locked is not None and found != locked:
        lock = lock_of(path)
        raise MicronetError(
            f"{path.name}: what came has sha256 {found}, expected {locked} ({lock.name}).",
            f"It is not the file of the first fetch. If it should be, delete {lock}.",
        )
    declared = next((source.sha256 for source in card.sources if source.sha256), None)
    if declared is not None and found != declared:
        raise MicronetError(
            f"{path.name}: what came has sha256 {found}, expected {declared} (the card {card.name}).",
            f"Other weights are judged where they lie: micronet score {card.name} --weights FILE",
        )


def _check_network(card: Card, part: Path, shown: Path) -> None:
    """MicronetError, which names ``shown``, unless ``part`` holds weights of the card's network."""
    from micronet.checkpoints.carded import model_of_card
    from micronet.checkpoints.formats import read_state_file

    model_of_card(shown, read_state_file(part), card)


def _copy(source: Path, part: Path, progress: Progress | None) -> None:
    check_file(source)
    total = source.stat().st_size
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as taken, part.open("wb") as written:
            shutil.copyfileobj(taken, written, _COPY_BYTES)
    except OSError as error:
        raise MicronetError(f"{source}: cannot be copied: {error.strerror}.") from error
    if progress is not None:
        progress(total, total)
