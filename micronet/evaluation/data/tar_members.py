"""The members of a tar file, from its headers alone, and their bytes by offset.

Python's ``tarfile`` is not used: a damaged header in the middle is the end of the archive to it (and
images would be missing without a word), extended headers cost what memory and recursion the file
asks for, and older versions do not come back from a negative size.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

from micronet.errors import MicronetError
from micronet.evaluation.data import tar_headers as tar
from micronet.evaluation.data.files import (
    MAX_IMAGE_BYTES,
    is_hidden,
    shown,
    too_large,
    without_waiting,
)

if TYPE_CHECKING:
    from pathlib import Path

MAX_MEMBERS: Final = 5_000_000
MAX_EXTENSION_BYTES: Final = 2**20
_TAIL_BYTES: Final = 2**20  # how far behind the end mark we look for what does not belong there
_COMPRESSED: Final = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in the archive at ``path``: its name without "./", and where its bytes are."""

    name: str
    path: str
    offset: int
    size: int

    def read(self) -> bytes:
        """The bytes; OSError if the archive cannot be read or has become shorter.

        The archive is opened for each member, so threads and forked processes share nothing.
        """
        with _opened(self.path) as file:
            content = _at(file, self.offset, self.size)
        if len(content) != self.size:
            raise OSError(errno.EIO, "is shorter than when it was opened", self.path)
        return content


@dataclass
class Archive:
    """The regular files of one tar; ``left_out`` are links and devices; ``ended`` by its mark."""

    members: list[Member] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    ended: bool = False


def read_archive(path: Path) -> Archive:
    """Read all headers of an uncompressed tar; MicronetError if it is damaged or cut short."""
    try:
        with _opened(str(path)) as file:
            _check_plain(path, _at(file, 0, 8))
            return _Reader(file, str(path.absolute())).archive()
    except (tar.BrokenError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise MicronetError(
            f"{path}: cannot be read as a tar file: {reason}.",
            "Get the file again; data are a folder, or tar files that are not compressed.",
        ) from error


class _Reader:
    """Goes from header to header; what extended headers say waits for the member behind them."""

    def __init__(self, file: IO[bytes], path: str) -> None:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise tar.BrokenError("it is not a regular file")
        self.file, self.path, self.size_bytes = file, path, status.st_size
        self.position = 0
        self.name: bytes | None = None
        self.size: int | None = None
        self.found = Archive()

    def archive(self) -> Archive:
        while not self.found.ended:
            block = _at(self.file, self.position, tar.BLOCK_BYTES)
            if not block and self.position:
                break
            if len(block) < tar.BLOCK_BYTES:
                raise tar.BrokenError("it ends where a header should be")
            self.position += tar.BLOCK_BYTES
            if any(block):
                self._take(tar.parse_header(block))
            else:
                self._end()
        return self.found

    def _end(self) -> None:
        if any(_at(self.file, self.position, _TAIL_BYTES)):
            raise tar.BrokenError("something follows its end, perhaps a second archive")
        self.found.ended = True

    def _take(self, header: tar.Header) -> None:
        if header.kind in tar.EXTENSIONS:
            self._extension(header)
            return
        name = header.name if self.name is None else self.name
        size = header.size if self.size is None else self.size
        self.name = self.size = None
        text = name.decode("utf-8", "surrogateescape")
        if header.kind == tar.SPARSE:
            raise tar.BrokenError(f"'{shown(text)}' is stored with holes (tar --sparse)")
        if header.kind in tar.LINKS_AND_DEVICES:
            self.found.left_out.append(text)
        elif header.kind != tar.FOLDER:
            offset = self._skip(size, shown(text))
            if header.kind in tar.FILES:
                self._add(text, offset, size)

    def _add(self, text: str, offset: int, size: int) -> None:
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if not parts or "\0" in text:
            raise tar.BrokenError(f"a file has the name '{shown(text)}'")
        if size > MAX_IMAGE_BYTES:
            raise tar.BrokenError(f"'{shown(text)}' {too_large(size)}")
        if not any(is_hidden(part) for part in parts if part != ".."):
            self.found.members.append(Member("/".join(parts), self.path, offset, size))
        if len(self.found.members) > MAX_MEMBERS:
            raise tar.BrokenError(f"it has more than {MAX_MEMBERS:,} files")

    def _skip(self, size: int, what: str) -> int:
        """Where the ``size`` bytes here begin; the position is the block behind them then."""
        offset = self.position
        if offset + size > self.size_bytes:
            raise tar.BrokenError(f"'{what}' is cut short")
        self.position += -(-size // tar.BLOCK_BYTES) * tar.BLOCK_BYTES
        return offset

    def _extension(self, header: tar.Header) -> None:
        if header.size > MAX_EXTENSION_BYTES:
            raise tar.BrokenError(f"an extended header of {header.size:,} bytes")
        offset = self._skip(header.size, "an extended header")
        content = _at(self.file, offset, header.size)
        if header.kind == tar.LONG_NAME:
            self.name = content.partition(b"\0")[0]
        elif header.kind != tar.LONG_LINK:
            self._pax(tar.pax_records(content), everywhere=header.kind == tar.PAX_GLOBAL)

    def _pax(self, records: dict[bytes, bytes], *, everywhere: bool) -> None:
        if any(key.startswith(b"GNU.sparse.") for key in records):
            raise tar.BrokenError("a file is stored with holes (tar --sparse)")
        if everywhere and records.keys() & {b"path", b"size"}:
            raise tar.BrokenError("one name or size is given for all files")
        self.name = records.get(b"path", self.name)
        if b"size" in records:
            self.size = tar.pax_size(records[b"size"])


def _opened(path: str) -> IO[bytes]:
    return open(path, "rb", buffering=0, opener=without_waiting)


def _at(file: IO[bytes], offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)


def _check_plain(path: Path, start: bytes) -> None:
    for magic, name in _COMPRESSED.items():
        if start.startswith(magic):
            raise MicronetError(
                f"{path}: is compressed ({name}), and images are read out of the middle.",
                "Decompress it and give the .tar; JPEG gains nothing from compression.",
            )
