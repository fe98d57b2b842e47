"""The members of an ``.npz`` file: arrays in a zip, the same bytes for the same arrays, read safely."""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from micronet.checkpoints.source import RefusedError
from micronet.packages.canonical import CENTRAL, CENTRAL_MARK, END, END_MARK, LOCAL, LOCAL_MARK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from numpy.typing import NDArray

MOST_MEMBERS: Final = 2**16 - 1
MOST_MEMBER_BYTES: Final = 2**28
MOST_BYTES: Final = 2**32  # of all members, unpacked
_LONGEST_HEADER: Final = 256  # bytes that numpy writes before the items of an array
_LONGEST_ENTRY: Final = 64  # bytes of the directory that a member may take
_ZIP64_LOCATOR: Final = b"PK\6\7"
_ZIP64_LOCATOR_BYTES: Final = 20
_NEEDED: Final = 20  # version 2.0 of the format reads deflated files
_MADE_BY: Final = 3 << 8 | 20  # as on Unix: the mode below is one of Unix
_DATE: Final = 1 << 5 | 1  # 1980-01-01, the first day of the format; the time is 0
_MODE: Final = 0o100644 << 16  # a regular file
_ENCRYPTED: Final = 1
_HEADER: Final = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([<|][a-z][0-9])', 'fortran_order': False,"
    rb" 'shape': \(((?:[0-9]{1,12}, ){0,2}[0-9]{1,12}|[0-9]{1,12},)\), \} *\n",
    re.DOTALL,
)
_BROKEN: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error, ValueError, EOFError, OSError),
    *(OverflowError, NotImplementedError, RuntimeError),  # zipfile's, for what it cannot unpack
)


class Piece(NamedTuple):
    """A member of a zip, ready to be written: ``size`` and ``crc`` are of what was deflated."""

    name: bytes
    deflated: bytes
    crc: int
    size: int


def packed(name: str, array: NDArray[Any]) -> Piece:
    """A member ``name``.npy, deflated as suits numbers that look like noise: long repeats only."""
    page = io.BytesIO()
    np.lib.format.write_array(page, array, version=(1, 0), allow_pickle=False)
    content = page.getvalue()
    deflater = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_FILTERED)
    deflated = deflater.compress(content) + deflater.flush()
    return Piece(f"{name}.npy".encode("ascii"), deflated, zlib.crc32(content), len(content))


def zipped(pieces: Sequence[Piece]) -> bytes:
    """The zip of ``pieces`` in their order, without dates."""
    content, directory, at = [], [], 0
    for piece in pieces:
        facts = (
            _NEEDED,
            0,
            zipfile.ZIP_DEFLATED,
            0,
            _DATE,
            piece.crc,
            len(piece.deflated),
            piece.size,
        )
        header = LOCAL.pack(LOCAL_MARK, *facts, len(piece.name), 0) + piece.name
        content += [header, piece.deflated]
        entry = (CENTRAL_MARK, _MADE_BY, *facts, len(piece.name), 0, 0, 0, 0, _MODE, at)
        directory.append(CENTRAL.pack(*entry) + piece.name)
        at += len(header) + len(piece.deflated)
    count, size = len(directory), sum(map(len, directory))
    end = END.pack(END_MARK, 0, 0, count, count, size, at, 0)
    return b"".join((*content, *directory, end))


class Members:
    """The arrays in the bytes of an ``.npz`` file; RefusedError says what is wrong with it.

    Sizes are bounded when it is opened; a member is unpacked when it is asked for.
    """

    def __init__(self, data: bytes) -> None:
        _check_end(data)
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except _BROKEN as error:
            raise RefusedError(f"it is not a zip archive ({error})") from error
        infos = self._archive.infolist()
        self._infos = {info.filename.removesuffix(".npy"): info for info in infos}
        total = sum(info.file_size for info in infos)
        if len(self._infos) != len(infos):
            raise RefusedError("two of its members have the same name")
        if total > MOST_BYTES:
            raise RefusedError(f"it unpacks to {total:,} bytes, more than {MOST_BYTES:,}")
        for info in infos:
            _check(info)

    @property
    def names(self) -> AbstractSet[str]:
        """Without ".npy"."""
        return self._infos.keys()

    def array(self, name: str, dtype: str, dimensions: int, most_items: int) -> NDArray[Any]:
        """The array ``name``, read-only, of this type, number of dimensions, and at most this size."""
        if name not in self._infos:
            raise RefusedError(f"it has no member {name}.npy")
        size = self._infos[name].file_size
        item = np.dtype(dtype).itemsize
        if size > most_items * item + _LONGEST_HEADER:
            raise RefusedError(
                f"{name}.npy has {size:,} bytes, expected at most {most_items * item:,}"
            )
        content = self._content(name, size)
        found = _HEADER.match(content)
        if found is None:
            raise RefusedError(f"{name}.npy is no array as numpy writes it")
        shape = [int(length) for length in found[2].decode().replace(" ", "").split(",") if length]
        if found[1].decode() != dtype or len(shape) != dimensions:
            raise RefusedError(
                f"{name}.npy is {found[1].decode()} of {len(shape)} dimensions, "
                f"expected {dtype} of {dimensions}"
            )
        if len(content) != found.end() + math.prod(shape) * item:
            raise RefusedError(f"{name}.npy has {size - found.end():,} bytes for the shape {shape}")
        return np.frombuffer(content, dtype, offset=found.end()).reshape(shape)

    def _content(self, name: str, size: int) -> bytes:
        try:
            with self._archive.open(self._infos[name]) as file:
                content = file.read(size + 1)
        except _BROKEN as error:
            raise RefusedError(f"{name}.npy is damaged ({str(error) or 'cut off'})") from error
        if len(content) != size:
            raise RefusedError(f"{name}.npy is damaged ({len(content)} bytes, expected {size})")
        return content


def _check_end(data: bytes) -> None:
    """The directory must be short before ``zipfile`` makes objects of its entries."""
    at = len(data) - END.size
    if at < 0 or data[at : at + 4] != END_MARK or data[-2:] != b"\0\0":
        raise RefusedError("it is not a zip archive, or is cut off")
    directory_bytes = END.unpack_from(data, at)[5]
    locator = data[max(0, at - _ZIP64_LOCATOR_BYTES) : at][:4]
    if directory_bytes > MOST_MEMBERS * _LONGEST_ENTRY or locator == _ZIP64_LOCATOR:
        raise RefusedError(f"it has more than {MOST_MEMBERS:,} members")


def _check(info: zipfile.ZipInfo) -> None:
    if info.file_size > MOST_MEMBER_BYTES:
        raise RefusedError(
            f"{info.filename[:60]!r} unpacks to {info.file_size:,} bytes, "
            f"more than {MOST_MEMBER_BYTES:,}"
        )
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise RefusedError(f"{info.filename[:60]!r} is packed in an unknown way")
    if info.flag_bits & _ENCRYPTED:
        raise RefusedError(f"{info.filename[:60]!r} is encrypted")
