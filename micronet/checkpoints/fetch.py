"""Fetch a card's released file: resumable, pinned by its sha256 the first time and ever after."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from micronet.checkpoints.digest import lock_of, pin, pinned, sha256_of
from micronet.checkpoints.download import Progress, download
from micronet.checkpoints.folder import checkpoint_path
from micronet.checkpoints.source import check_file
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
    """The path of the card's weights, fetched, readable and with the pinned sha256.

    ``from_file`` takes a copy the user has, ``url`` another address. ``progress`` is called with
    bytes so far and bytes in all (None if unknown). A file that is there and matches its lock is
    not fetched again. An interrupted download leaves NAME.pt.part, from which the next one goes
    on. MicronetError says what failed; the file that was there before is then untouched.
    """
    path = checkpoint_path(card.name) if out is None else out
    expected = pinned(path)
    wanted_anew = from_file is not None or url is not None or not path.is_file()
    if not wanted_anew and expected is not None and sha256_of(path) == expected:
        return path
    part = path.with_name(f"{path.name}.part")
    if from_file is not None:
        part = path.with_name(f"{path.name}.copy")  # a half download stays as it is
        _copy(from_file, part, progress)
    else:
        download(url or _address(card), part, progress)
    try:
        found = _accepted(card, part, path, expected)
    except MicronetError:
        part.unlink(missing_ok=True)
        raise
    part.replace(path)
    pin(path, found)
    return path


def _address(card: Card) -> str:
    if card.weights == "never released":
        raise MicronetError(
            f"The weights of {card.name} were never released.",
            f"Build the wiring, untrained: micronet build {card.name}",
        )
    for source in card.sources:
        if source.kind == "file":
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


def _accepted(card: Card, part: Path, path: Path, locked: str | None) -> str:
    """The sha256 of ``part``, which must be what is pinned and a checkpoint that can be read."""
    from micronet.checkpoints.formats import read_state_file

    found = sha256_of(part)
    declared = next((source.sha256 for source in card.sources if source.sha256), None)
    for expected, who in ((locked, lock_of(path).name), (declared, f"the card {card.name}")):
        if expected is not None and found != expected:
            raise MicronetError(
                f"{path.name}: what came has sha256 {found}, expected {expected} ({who}).",
                f"It is not the file of the first fetch. If it should be, delete {lock_of(path)}.",
            )
    read_state_file(part)
    return found


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
