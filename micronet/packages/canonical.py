"""The one way in which a package's files become a zip: names sorted, nothing compressed, no clock.

Everything that a zip leaves to the writer is fixed here, so the files alone decide every byte; a
reader writes the zip again from the files it found and compares.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LOCAL: Final = struct.Struct("<4s5H3L2H")
CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
END: Final = struct.Struct("<4s4H2LH")
LOCAL_MARK: Final = b"PK\3\4"
CENTRAL_MARK: Final = b"PK\1\2"
END_MARK: Final = b"PK\5\6"
LONGEST: Final = 2**32 - 2  # bytes of a zip whose every number fits 32 bits

_NEEDED: Final = 10  # version 1.0 of the format reads stored files
_MADE_BY: Final = 3 << 8 | 20  # as on Unix: the mode below is one of Unix
_DATE: Final = 1 << 5 | 1  # 1980-01-01, the first day of the format; the time is 0
_MODE: Final = 0o100644 << 16  # a regular file


def pieces(members: Mapping[str, bytes | memoryview]) -> Iterator[tuple[str, bytes | memoryview]]:
    """The zip of ``members`` in order, piece by piece, each with what it is. Names are ASCII."""
    directory: list[tuple[str, bytes]] = []
    at = 0
    for name, content in sorted(members.items()):
        facts = (_NEEDED, 0, 0, 0, _DATE, zlib.crc32(content), len(content), len(content))
        encoded = name.encode("ascii")
        header = LOCAL.pack(LOCAL_MARK, *facts, len(encoded), 0) + encoded
        entry = (CENTRAL_MARK, _MADE_BY, *facts, len(encoded), 0, 0, 0, 0, _MODE, at)
        directory.append((name, CENTRAL.pack(*entry) + encoded))
        yield f"the header of {name}", header
        yield f"the content of {name}", content
        at += len(header) + len(content)
    for name, entry_bytes in directory:
        yield f"the directory entry of {name}", entry_bytes
    size = sum(len(entry_bytes) for _, entry_bytes in directory)
    count = len(directory)
    yield "the end record", END.pack(END_MARK, 0, 0, count, count, size, at, 0)


def zipped(members: Mapping[str, bytes | memoryview]) -> bytes:
    """The zip of ``members``."""
    return b"".join(piece for _, piece in pieces(members))
