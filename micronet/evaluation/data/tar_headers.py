"""One header of a tar file, read strictly.

Source of the format: POSIX.1-2001 (ustar and pax), and GNU tar's manual, "Basic Tar Format".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BLOCK_BYTES: Final = 512
FILES: Final = frozenset({b"0", b"\0", b"7"})
FOLDER: Final = b"5"
SPARSE: Final = b"S"
LONG_NAME: Final = b"L"
LONG_LINK: Final = b"K"
PAX: Final = b"x"
PAX_GLOBAL: Final = b"g"
EXTENSIONS: Final = frozenset({LONG_NAME, LONG_LINK, PAX, PAX_GLOBAL})
LINKS_AND_DEVICES: Final = frozenset({b"1", b"2", b"3", b"4", b"6"})  # these have no data
_CHECKSUM: Final = slice(148, 156)
_BASE_256: Final = 0x80
_PAX_LENGTH_DIGITS: Final = 7


class BrokenError(ValueError):
    """The archive contradicts itself, or has something in it that we do not read."""


@dataclass(frozen=True, slots=True)
class Header:
    """What one header block says: the type, the name as bytes, and the size of the data."""

    kind: bytes
    name: bytes
    size: int


def parse_header(block: bytes) -> Header:
    """Read the fields of one block of 512 bytes; BrokenError if it is no header."""
    stored = _number(block[_CHECKSUM])
    blank = sum(block) - sum(block[_CHECKSUM]) + 8 * ord(" ")
    if stored != blank:
        raise BrokenError("a header's checksum is wrong")
    name = _text(block[0:100])
    if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
        name = prefix + b"/" + name
    return Header(block[156:157], name, _number(block[124:136]))


def pax_records(content: bytes) -> dict[bytes, bytes]:
    r"""The records "LENGTH KEY=VALUE\n" of an extended header; BrokenError if they are not such."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(content):
        digits = content[at : at + _PAX_LENGTH_DIGITS + 1].partition(b" ")[0]
        end = at + int(digits) if digits.isdigit() else at
        key, equals, value = content[at + len(digits) + 1 : end - 1].partition(b"=")
        if not equals or content[end - 1 : end] != b"\n":
            raise BrokenError("an extended header is not made of records")
        found[key] = value
        at = end
    return found


def pax_size(text: bytes) -> int:
    """The decimal size of an extended header."""
    if not text.isdigit() or len(text) > 18:
        raise BrokenError("an extended header gives no size")
    return int(text)


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    """An octal number, or one to the base 256 where GNU tar needs more digits."""
    if field[0] == _BASE_256:
        return int.from_bytes(field[1:], "big")
    digits = _text(field).strip()
    if digits.strip(b"01234567"):
        raise BrokenError("a header holds something else than numbers")
    return int(digits or b"0", 8)
