"""Read a package's zip, trusting nothing: every fault has its own message, and nothing is unpacked.

Python's ``zipfile`` is not used: it takes the directory's word, and passes over what lies before,
between and behind the files.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from micronet.checkpoints.source import RefusedError
from micronet.packages.canonical import (
    CENTRAL,
    CENTRAL_MARK,
    END,
    END_MARK,
    LOCAL,
    LOCAL_MARK,
    pieces,
)
from micronet.packages.names import check_name, most_bytes, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_MEMBERS: Final = 200
_ENCRYPTED: Final = 1
_LONG: Final = 2**32 - 1  # "look into the zip64 record"
_MANY: Final = 2**16 - 1
_LONGEST_COMMENT: Final = 2**16 - 1
_ZIP64_LOCATOR: Final = b"PK\6\7"
_ZIP64_LOCATOR_BYTES: Final = 20
_ZIP64_EXTRA: Final = b"\1\0"
_KINDS: Final = {0o120000: "a symbolic link", 0o040000: "a folder"}
_REGULAR: Final = 0o100000
_UNIX: Final = 3


class _Entry(NamedTuple):
    """One entry of the directory, as it stands there."""

    name: str
    made_by: int
    flags: int
    method: int
    facts: tuple[int, ...]  # needed, flags, method, time, date, crc, packed bytes, bytes
    crc: int
    packed_bytes: int
    size_bytes: int
    extra: bytes
    comment: bytes
    mode: int
    start: int


def read_archive(data: memoryview) -> dict[str, memoryview]:
    """The files of the package in ``data`` by name; RefusedError says what is wrong with it.

    No memory is taken for their contents. Afterwards every byte of ``data`` is known to be what
    ``canonical.zipped`` makes of these files.
    """
    end_at, directory_at, count = _end(data)
    entries = _directory(data, directory_at, end_at, count)
    _check_names([each.name for each in entries])
    for each in entries:
        _check_entry(each)
    _check_places(data, entries, directory_at)
    members = {each.name: _content(data, each) for each in entries}
    _check_canonical(data, members)
    return members


def _end(data: memoryview) -> tuple[int, int, int]:
    """Where the end record is, where the directory before it begins, and its number of files."""
    at = len(data) - END.size
    if at < 0 or bytes(data[at : at + 4]) != END_MARK or data[-1] or data[-2]:
        raise RefusedError(_wrong_end(data))
    _, disk, first_disk, here, count, size, start, _ = END.unpack_from(data, at)
    locator = bytes(data[max(0, at - _ZIP64_LOCATOR_BYTES) :][:4])
    if _MANY in (here, count) or _LONG in (size, start) or locator == _ZIP64_LOCATOR:
        raise RefusedError("it is a zip64 archive, and a package has no need of one")
    if disk or first_disk or here != count:
        raise RefusedError(f"it is one part of several: disk {disk}, {here} of {count} files")
    if count > MOST_MEMBERS:
        raise RefusedError(f"it has {count} files, at most {MOST_MEMBERS} are read")
    if count == 0:
        raise RefusedError("it is an empty zip archive")
    if start + size != at and bytes(data[at - size :][:4]) == CENTRAL_MARK and start + size < at:
        raise RefusedError(f"{at - size - start} bytes lie before its beginning")
    if start + size != at:
        raise RefusedError("its directory does not lie where its end record says")
    return at, start, count


def _wrong_end(data: memoryview) -> str:
    """What is wrong with a file that does not finish with a plain end record."""
    tail = bytes(data[-(END.size + _LONGEST_COMMENT) :])
    at = tail.rfind(END_MARK)
    if at < 0 or len(tail) - at < END.size:
        zip_begins = bytes(data[:4]) == LOCAL_MARK
        return "it is cut off, its end is missing" if zip_begins else "it is not a zip archive"
    comment: int = END.unpack_from(tail, at)[-1]
    behind = len(tail) - at - END.size
    if comment == behind:
        return f"it has a comment of {comment} bytes, which a package has not"
    if comment > behind:
        return "its end record is damaged"
    return f"{behind} bytes follow its end record"


def _directory(data: memoryview, at: int, end: int, count: int) -> list[_Entry]:
    found: list[_Entry] = []
    for number in range(count):
        if at + CENTRAL.size > end or bytes(data[at : at + 4]) != CENTRAL_MARK:
            raise RefusedError(f"its directory is broken at entry {number + 1} of {count}")
        fields: tuple[Any, ...] = CENTRAL.unpack_from(data, at)
        lengths: tuple[int, int, int] = fields[10:13]
        at += CENTRAL.size
        if at + sum(lengths) > end:
            raise RefusedError(f"its directory is broken at entry {number + 1} of {count}")
        texts = []
        for length in lengths:
            texts.append(bytes(data[at : at + length]))
            at += length
        found.append(_entry(fields, texts))
    if at != end:
        raise RefusedError(f"its directory holds {end - at} bytes more than its {count} entries")
    return found


def _entry(fields: Sequence[Any], texts: Sequence[bytes]) -> _Entry:
    return _Entry(
        name=texts[0].decode("latin-1"),
        made_by=fields[1],
        flags=fields[3],
        method=fields[4],
        facts=tuple(fields[2:10]),
        crc=fields[7],
        packed_bytes=fields[8],
        size_bytes=fields[9],
        extra=texts[1],
        comment=texts[2],
        mode=fields[15] >> 16 if fields[1] >> 8 == _UNIX else _REGULAR,
        start=fields[16],
    )


def _check_names(names: Sequence[str]) -> None:
    known: dict[str, str] = {}
    for name in names:
        check_name(name)
        other = known.get(name.lower())
        if other == name:
            raise RefusedError(f"two files are called {shown(name)}")
        if other is not None:
            raise RefusedError(f"{shown(other)} and {shown(name)} differ in upper case only")
        known[name.lower()] = name


def _check_entry(entry: _Entry) -> None:
    name = shown(entry.name)
    kind = entry.mode & 0o170000
    if kind not in {0, _REGULAR}:
        raise RefusedError(f"{name} is {_KINDS.get(kind, 'something special')}, not a regular file")
    if entry.flags & _ENCRYPTED:
        raise RefusedError(f"{name} is encrypted")
    if entry.method:
        sizes = f"{entry.packed_bytes:,} bytes that claim to become {entry.size_bytes:,}"
        raise RefusedError(f"{name} is compressed, {sizes}; a package stores its files plain")
    long = _LONG in {entry.packed_bytes, entry.size_bytes, entry.start}
    if long or entry.extra.startswith(_ZIP64_EXTRA):
        raise _zip64(name)
    if entry.packed_bytes != entry.size_bytes:
        raise RefusedError(
            f"{name} is stored plain, but has two sizes: {entry.packed_bytes:,} and "
            f"{entry.size_bytes:,} bytes"
        )
    if entry.size_bytes > most_bytes(entry.name):
        raise RefusedError(
            f"{name} has {entry.size_bytes:,} bytes, at most {most_bytes(entry.name):,} are read"
        )


def _zip64(name: str) -> RefusedError:
    return RefusedError(f"{name} says that it is in zip64 form, which a package has no need of")


def _check_places(data: memoryview, entries: Sequence[_Entry], directory_at: int) -> None:
    """The files lie one after the other from byte 0 to the directory, and agree with their headers."""
    at = 0
    for each in sorted(entries, key=lambda entry: entry.start):
        name = shown(each.name)
        if each.start < at:
            raise RefusedError(f"{name} overlaps another file")
        if each.start > at:
            where = "before its first file" if at == 0 else f"before {name}, in no file"
            raise RefusedError(f"{each.start - at} bytes lie {where}")
        if each.start + LOCAL.size > directory_at:
            raise RefusedError(f"{name} overlaps the directory")
        at = each.start + _header_bytes(data, each) + each.size_bytes
        if at > directory_at:
            raise RefusedError(f"{name} overlaps the directory")
    if at != directory_at:
        raise RefusedError(f"{directory_at - at} bytes lie between its files and its directory")


def _header_bytes(data: memoryview, entry: _Entry) -> int:
    """The length of the file's own header; RefusedError where it is not what the directory says."""
    mark, *facts, name_bytes, extra_bytes = LOCAL.unpack_from(data, entry.start)
    name_at = entry.start + LOCAL.size
    name = bytes(data[name_at : name_at + name_bytes]).decode("latin-1")
    if mark == LOCAL_MARK and _LONG in facts[-2:]:
        raise _zip64(shown(entry.name))
    if mark != LOCAL_MARK or (tuple(facts), name) != (entry.facts, entry.name):
        what = f"{shown(entry.name)}: its own header and the directory disagree"
        raise RefusedError(f"{what}: {_disagreement(mark, facts, name, entry)}")
    if extra_bytes:
        raise RefusedError(f"{shown(name)} has a header with {extra_bytes} extra bytes")
    return LOCAL.size + len(name)


def _disagreement(mark: bytes, facts: Sequence[int], name: str, entry: _Entry) -> str:
    if mark != LOCAL_MARK:
        return "there is no header"
    if name != entry.name:
        return f"it is called {shown(name)} there"
    words = ("version", "flags", "method", "time", "date", "checksum", "packed size", "size")
    rows = zip(words, facts, entry.facts, strict=True)
    return next(f"{word} {here}, {there}" for word, here, there in rows if here != there)


def _content(data: memoryview, entry: _Entry) -> memoryview:
    start = entry.start + LOCAL.size + len(entry.name)
    content = data[start : start + entry.size_bytes]
    if zlib.crc32(content) != entry.crc:
        raise RefusedError(f"{shown(entry.name)} is damaged: its checksum does not match")
    return content


def _check_canonical(data: memoryview, members: Mapping[str, memoryview]) -> None:
    """RefusedError unless the files make exactly this zip again."""
    at = 0
    for what, piece in pieces(members):
        if data[at : at + len(piece)] != piece:
            raise RefusedError(f"{what}, from byte {at} on, is not as this tool writes it")
        at += len(piece)
    if at != len(data):
        raise RefusedError(f"it has {len(data) - at} bytes more than its files need")
