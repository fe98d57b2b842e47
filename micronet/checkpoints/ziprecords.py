"""The records of a zip, found safely: stored only, unique, inside the archive and inside the file.

torch writes its archives uncompressed, so that a record's declared size is its real size; anything
else (deflate bombs, overlapping or escaping records) is refused before a byte is read.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import Final

from micronet.checkpoints.source import RefusedError

MAX_RECORDS: Final = 200_000
_LOCAL_HEADER: Final = struct.Struct("<4s5H3L2H")
_ENCRYPTED: Final = 1


@dataclass(frozen=True)
class Records:
    """Where each record's bytes lie in the archive's bytes; names without the common folder."""

    data: memoryview
    folder: str
    places: dict[str, tuple[int, int, int]]  # name: start, size, crc32

    def __contains__(self, name: str) -> bool:
        return name in self.places

    def place(self, name: str) -> tuple[int, int]:
        """Start and size in bytes of the record ``name``, its checksum verified."""
        if name not in self.places:
            raise RefusedError(f"the archive has no record '{name}'")
        start, size, crc = self.places[name]
        if zlib.crc32(self.data[start : start + size]) != crc:
            raise RefusedError(f"the record '{name}' is damaged (its checksum does not match)")
        return start, size

    def read(self, name: str) -> bytes:
        """A copy of the record ``name``."""
        start, size = self.place(name)
        return bytes(self.data[start : start + size])


def read_records(data: memoryview) -> Records:
    """The table of records of the zip in ``data``; RefusedError says what is wrong with it."""
    infos = _directory(data)
    total = sum(info.file_size for info in infos)
    if len(infos) > MAX_RECORDS or total > len(data):
        raise RefusedError(f"{len(infos)} records of {total} bytes in a file of {len(data)}")
    places: dict[str, tuple[int, int, int]] = {}
    for info in infos:
        _check(info)
        if info.filename in places:
            raise RefusedError(f"two records are called '{info.filename}'")
        places[info.filename] = (_start(data, info), info.file_size, info.CRC)
    folder = _common_folder(list(places))
    return Records(data, folder, {name[len(folder) :]: place for name, place in places.items()})


def _directory(data: memoryview) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(_Reader(data)) as archive:
            return [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, ValueError, EOFError, struct.error, NotImplementedError) as error:
        raise RefusedError(f"broken or truncated archive ({error})") from error


def _check(info: zipfile.ZipInfo) -> None:
    name = info.orig_filename
    parts = name.split("/")
    if name.startswith("/") or "\\" in name or "\0" in name or ".." in parts or ":" in parts[0]:
        raise RefusedError(f"the record name {name!r} leaves the archive")
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise RefusedError(f"the record '{name}' is compressed, torch stores its records plain")
    if info.flag_bits & _ENCRYPTED:
        raise RefusedError(f"the record '{name}' is encrypted")


def _start(data: memoryview, info: zipfile.ZipInfo) -> int:
    """The byte at which the record's data begins, behind its local header."""
    at = info.header_offset
    if at < 0 or at + _LOCAL_HEADER.size > len(data):
        raise RefusedError(f"the record '{info.filename}' lies outside the file")
    magic, *_, name_length, extra_length = _LOCAL_HEADER.unpack_from(data, at)
    start: int = at + _LOCAL_HEADER.size + name_length + extra_length
    name = bytes(data[at + _LOCAL_HEADER.size : at + _LOCAL_HEADER.size + name_length])
    if magic != b"PK\3\4" or name.decode("utf-8", "replace") != info.orig_filename:
        raise RefusedError(f"the record '{info.filename}' has no header of its own")
    if start + info.file_size > len(data):
        raise RefusedError(f"the record '{info.filename}' reaches beyond the file")
    return start


def _common_folder(names: list[str]) -> str:
    """The folder torch puts every record in ("archive/"), or "" if they do not share one."""
    first = names[0].split("/")[0] + "/" if names else ""
    return first if all(name.startswith(first) for name in names) else ""


class _Reader(io.RawIOBase):
    """The mapped bytes as the seekable file that ``zipfile`` wants."""

    def __init__(self, data: memoryview) -> None:
        super().__init__()
        self._data = data
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._data)}[whence]
        if base + offset < 0:
            raise OSError("seek before the start")  # what zipfile expects of a file
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int | None = -1) -> bytes:
        end = len(self._data) if count is None or count < 0 else self._at + count
        taken = bytes(self._data[self._at : end])
        self._at += len(taken)
        return taken
