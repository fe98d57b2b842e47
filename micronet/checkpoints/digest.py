"""The sha256 of a file, and the lock file that pins it after the first fetch."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from micronet.checkpoints.atomic import write_bytes
from micronet.checkpoints.card_schema import HEX_DIGITS
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from pathlib import Path


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of the file, read in pieces."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MicronetError(f"{path}: cannot be read: {error.strerror}.") from error


def lock_of(path: Path) -> Path:
    """The lock file beside ``path``: NAME.pt has NAME.sha256."""
    return path.with_suffix(".sha256")


def pinned(path: Path) -> str | None:
    """The sha256 that the lock beside ``path`` pins, or None without one."""
    lock = lock_of(path)
    if not lock.is_file():
        return None
    words = lock.read_text(encoding="utf-8", errors="replace").split()
    if not words or len(words[0]) != HEX_DIGITS:
        raise MicronetError(f"{lock}: is not a sha256 lock file.", "Delete it and fetch again.")
    return words[0]


def pin(path: Path, sha256: str) -> None:
    """Write the lock, in the format of ``sha256sum --check``."""
    write_bytes(lock_of(path), f"{sha256}  {path.name}\n".encode())


def check_pin(path: Path, found: str) -> None:
    """MicronetError if ``path`` was fetched and is not what was fetched."""
    expected = pinned(path)
    if expected is not None and expected != found:
        raise MicronetError(
            f"{path}: sha256 {found}, expected {expected} ({lock_of(path).name}).",
            f"The file changed since it was fetched. Get it again: micronet fetch {path.stem}",
        )
