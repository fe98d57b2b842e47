"""Bytes of a file, mapped, bounded and read-only: nothing is taken into memory on a file's word."""

from __future__ import annotations

import contextlib
import mmap
import os
import stat
from typing import TYPE_CHECKING, Final

from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_FILE_BYTES: Final = 16 * 2**30
MAX_LINE_BYTES: Final = 2**16


class RefusedError(ValueError):
    """A file is broken, or asks for something that a checkpoint has no need of."""


class Cursor:
    """A read position in mapped bytes, file-like, that refuses to promise what is not there."""

    def __init__(self, data: memoryview, position: int = 0) -> None:
        self._data = data
        self._position = position

    def tell(self) -> int:
        """The position in bytes from the start."""
        return self._position

    def skip(self, count: int) -> int:
        """Pass over ``count`` bytes and return where they began."""
        start = self._position
        left = len(self._data) - start
        if not 0 <= count <= left:
            raise RefusedError(f"{count} bytes are announced at byte {start}, but {left} are left")
        self._position += count
        return start

    def read(self, count: int) -> bytes:
        """Exactly ``count`` bytes; RefusedError if the file has fewer, before memory is taken."""
        start = self.skip(count)
        return bytes(self._data[start : start + count])

    def readline(self) -> bytes:
        """The bytes up to and with the next line end, which must come soon."""
        start = self._position
        line = bytes(self._data[start : start + MAX_LINE_BYTES])
        end = line.find(b"\n")
        if end < 0:
            raise RefusedError(f"a line at byte {start} does not end")
        self._position = start + end + 1
        return line[: end + 1]


@contextlib.contextmanager
def mapped(path: Path) -> Iterator[memoryview]:
    """The file's bytes, read-only, while the context lasts.

    MicronetError if there is no such file, it is a folder, empty, special, unreadable or larger
    than MAX_FILE_BYTES.
    """
    with _opened(path) as file:
        size = os.fstat(file).st_size
        # Not closed by hand: an error on its way up still refers to parts of the view.
        yield memoryview(mmap.mmap(file, size, access=mmap.ACCESS_READ))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    check_file(path)
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise MicronetError(f"{path}: cannot be read: {error.strerror}.") from error
    try:
        yield file
    finally:
        os.close(file)


def check_file(path: Path) -> None:
    """MicronetError unless ``path`` is a regular, non-empty file of at most MAX_FILE_BYTES."""
    try:
        found = path.stat()
    except OSError as error:
        raise MicronetError(f"{path}: cannot be read: {error.strerror}.") from error
    if stat.S_ISDIR(found.st_mode):
        raise MicronetError(f"{path}: is a folder, expected a checkpoint file.")
    if not stat.S_ISREG(found.st_mode):
        raise MicronetError(f"{path}: is not a regular file.")
    if found.st_size == 0:
        raise MicronetError(f"{path}: is empty, expected a checkpoint.", "Get the file again.")
    if found.st_size > MAX_FILE_BYTES:
        raise MicronetError(
            f"{path}: {found.st_size} bytes; checkpoints of more than {MAX_FILE_BYTES} are refused."
        )
