"""Hostile and damaged archives: each is refused, with a message of its own."""

from __future__ import annotations

import io
import struct
import subprocess
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from micronet.checkpoints.source import RefusedError
from micronet.packages import archive, names
from micronet.packages.archive import read_archive
from micronet.packages.canonical import CENTRAL, END, LOCAL, zipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = {"README.md": b"read me", "code/a.py": b"print()", "manifest.json": b"{}"}
Zip = bytes


def by_zipfile(*members: tuple[str, bytes], **settings: Any) -> Zip:
    """A zip as Python's own module writes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **settings) as made:
        for name, content in members:
            made.writestr(name, content)
    return buffer.getvalue()


def patched(at: int, form: str, value: int, *, of: Zip | None = None) -> Zip:
    """The plain archive with a number replaced."""
    content = bytearray(zipped(FILES) if of is None else of)
    struct.pack_into(form, content, at, value)
    return bytes(content)


def directory_at(content: Zip) -> int:
    return int(END.unpack_from(content, len(content) - END.size)[6])


def entry(field: int, form: str, value: int) -> Zip:
    """The plain archive with a number ``field`` bytes into its first directory entry replaced."""
    return patched(directory_at(zipped(FILES)) + field, form, value)


def named(name: str, other: str = "README.md") -> Zip:
    """Two files, one of them called ``name``, whatever that is."""
    content = by_zipfile((other, b"1"), ("x" * len(name.encode()), b"2"))
    return content.replace(b"x" * len(name.encode()), name.encode())


def linked() -> Zip:
    info = zipfile.ZipInfo("README.md")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr(info, "/etc/passwd")
    return buffer.getvalue()


def overlapping() -> Zip:
    """Two directory entries that lead to the same bytes (a zip bomb without compression)."""
    content = zipped(FILES)
    first = directory_at(content)
    second = first + CENTRAL.size + len("README.md")
    return patched(second + 42, "<L", 0, of=content)


def wrapped(member_bytes: int) -> Zip:
    """An entry whose own header lies inside the content of another."""
    inner = zipped({"b.txt": b"b"})
    outer = zipped({"a.txt": inner + bytes(member_bytes)})
    cut = directory_at(inner)
    entry_b = bytearray(inner[cut : len(inner) - END.size])
    struct.pack_into("<L", entry_b, 42, LOCAL.size + len("a.txt"))
    start = directory_at(outer)
    directory = outer[start : len(outer) - END.size] + bytes(entry_b)
    end = END.pack(b"PK\5\6", 0, 0, 2, 2, len(directory), start, 0)
    return outer[:start] + directory + end


def prefixed(*, adjusted: bool) -> Zip:
    """Something before the archive, whose offsets know of it or not."""
    content = zipped({"README.md": b"1"})
    if not adjusted:
        return b"#!/bin/sh\n" + content
    moved = bytearray(b"#!/bin/sh\n" + content)
    start = directory_at(content)
    struct.pack_into("<L", moved, len(moved) - END.size + 16, start + 10)
    struct.pack_into("<L", moved, 10 + start + 42, 10)
    return bytes(moved)


def gap(*, before: str) -> Zip:
    """Four bytes that no file owns, before the second file or before the directory."""
    content = zipped(FILES)
    start = directory_at(content)
    at = start if before == "directory" else content.index(b"PK\3\4", 4)
    made = bytearray(content[:at] + b"hide" + content[at:])
    struct.pack_into("<L", made, len(made) - END.size + 16, start + 4)
    moved = start + 4
    while before != "directory" and made[moved : moved + 4] == b"PK\1\2":
        offset = struct.unpack_from("<L", made, moved + 42)[0]
        struct.pack_into("<L", made, moved + 42, offset + 4 if offset >= at else offset)
        moved += CENTRAL.size + struct.unpack_from("<H", made, moved + 28)[0]
    return bytes(made)


def bomb() -> Zip:
    return by_zipfile(("README.md", bytes(10**7)), compression=zipfile.ZIP_DEFLATED)


def zip64() -> Zip:
    info = zipfile.ZipInfo("README.md")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made, made.open(info, "w", force_zip64=True) as file:
        file.write(b"1")
    return buffer.getvalue()


def zip64_locator() -> Zip:
    """A plain archive behind whose directory a zip64 record claims to know better."""
    content = zipped(FILES)
    at = len(content) - END.size
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    return content[:at] + locator + content[at:]


def crowd() -> Zip:
    return zipped({f"code/f{number}.py": b"" for number in range(archive.MOST_MEMBERS + 1)})


HOSTILE: dict[str, tuple[Callable[[], Zip], str]] = {
    "no zip": (lambda: b"This is no archive at all, it is text.", "not a zip archive"),
    "a pdf": (lambda: b"%PDF-1.7" + bytes(100), "not a zip archive"),
    "cut off": (lambda: zipped(FILES)[:-30], "it is cut off"),
    "empty archive": (lambda: zipped({}), "an empty zip archive"),
    "zip bomb": (bomb, "README.md is compressed, 9,7"),
    "encrypted": (lambda: entry(8, "<H", 1), "README.md is encrypted"),
    "path traversal": (lambda: named("../../home/me/.bashrc"), "leads out of the package"),
    "backslashes": (lambda: named("..\\windows"), "leads out of the package"),
    "absolute path": (lambda: named("/etc/passwd"), "/etc/passwd is absolute"),
    "drive letter": (lambda: named("C:/autoexec.bat"), "names a drive"),
    "folder": (lambda: named("code/"), "code/ is a folder, not a file"),
    "a NUL in a name": (lambda: named("a\0b"), "is no name of a file"),
    "a terminal's escape in a name": (lambda: named("a\x1b[2J"), "a\\x1b[2J is no name"),
    "not ASCII": (lambda: named("é.py"), "is no name of a file"),
    "too deep": (lambda: named("code/a/b.py"), "is no name of a file"),
    "hidden": (lambda: named(".profile"), "is no name of a file"),
    "symlink": (linked, "README.md is a symbolic link"),
    "device": (lambda: entry(38, "<L", 0o020000 << 16), "something special"),
    "duplicate name": (lambda: named("README.md"), "two files are called README.md"),
    "colliding case": (lambda: named("readme.MD"), "differ in upper case only"),
    "oversized": (
        lambda: zipped({"code/a.py": bytes(names.MAX_CODE_BYTES + 1)}),
        "code/a.py has 4,194,305 bytes, at most 4,194,304 are read",
    ),
    "too many": (crowd, f"it has {archive.MOST_MEMBERS + 1} files"),
    "two sizes": (lambda: entry(20, "<L", 3), "has two sizes: 3 and 7"),
    "zip64 member": (zip64, "README.md says that it is in zip64 form"),
    "zip64 size": (lambda: entry(24, "<L", 2**32 - 1), "README.md says that it is in zip64 form"),
    "zip64 archive": (zip64_locator, "it is a zip64 archive"),
    "several disks": (
        lambda: patched(len(zipped(FILES)) - END.size + 4, "<H", 1),
        "it is one part of several",
    ),
    "header and directory disagree": (
        lambda: entry(16, "<L", 5),
        "README.md: its own header and the directory disagree: checksum",
    ),
    "another name in the header": (
        lambda: patched(LOCAL.size, "<B", ord("r")),
        "it is called rEADME.md there",
    ),
    "no header": (lambda: patched(0, "<B", 0), "disagree: there is no header"),
    "extra bytes in a header": (lambda: patched(28, "<H", 4), "a header with 4 extra bytes"),
    "the same bytes twice": (overlapping, "overlaps another file"),
    "one file inside another": (lambda: wrapped(0), "overlaps another file"),
    "trailing bytes": (lambda: zipped(FILES) + b"more", "4 bytes follow its end record"),
    "a comment": (
        lambda: patched(len(zipped(FILES)) - 2, "<H", 4, of=zipped(FILES) + b"more"),
        "it has a comment of 4 bytes",
    ),
    "leading bytes": (lambda: prefixed(adjusted=False), "10 bytes lie before its beginning"),
    "leading bytes, adjusted": (lambda: prefixed(adjusted=True), "before its first file"),
    "bytes between files": (lambda: gap(before="file"), "4 bytes lie before code/a.py, in no file"),
    "bytes before the directory": (
        lambda: gap(before="directory"),
        "4 bytes lie between its files and its directory",
    ),
    "damaged content": (
        lambda: zipped(FILES).replace(b"read me", b"real me"),
        "README.md is damaged",
    ),
    "broken directory": (lambda: entry(0, "<B", 0), "its directory is broken at entry 1"),
    "directory elsewhere": (
        lambda: patched(len(zipped(FILES)) - 6, "<L", 10_000),
        "its directory does not lie where",
    ),
    "another clock": (
        lambda: patched(10, "<H", 7, of=entry(12, "<H", 7)),
        "the header of README.md, from byte 0 on, is not as this tool writes it",
    ),
    "another order": (
        lambda: by_zipfile(("code/a.py", b"1"), ("README.md", b"2")),
        "is not as this tool writes it",
    ),
}


@pytest.mark.parametrize("case", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_archive_is_refused_with_its_own_message(case: tuple[Any, str]) -> None:
    make, message = case
    with pytest.raises(RefusedError) as refused:
        read_archive(memoryview(make()))
    assert message in str(refused.value)
    assert str(refused.value).isprintable()


def test_the_twin_without_a_fault_is_read() -> None:
    assert dict(read_archive(memoryview(zipped(FILES)))) == FILES


def test_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    """Ten million zeros in ten thousand bytes: refused by what the directory says."""
    import tracemalloc

    content = memoryview(bomb())
    tracemalloc.start()
    with pytest.raises(RefusedError):
        read_archive(content)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()
    assert list(tmp_path.iterdir()) == []


def test_the_order_in_which_files_are_given_is_forgotten() -> None:
    assert zipped(dict(reversed(FILES.items()))) == zipped(FILES)


def test_other_tools_read_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(zipped(FILES))
    with zipfile.ZipFile(path) as made:
        assert made.testzip() is None
        assert made.namelist() == ["README.md", "code/a.py", "manifest.json"]
        assert {info.date_time for info in made.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.external_attr >> 16 for info in made.infolist()} == {0o100644}
        assert made.read("code/a.py") == b"print()"
    assert subprocess.run(["unzip", "-tq", path], check=False).returncode == 0  # noqa: S607


def test_the_layout_by_hand() -> None:
    """One file "a" holding "b": 30 + 1 + 1 bytes, 46 + 1 of directory, 22 of end."""
    crc = zlib.crc32(b"b")
    shared = struct.pack("<5H3L2H", 10, 0, 0, 0, 33, crc, 1, 1, 1, 0)
    local = b"PK\3\4" + shared + b"a" + b"b"
    central = b"PK\1\2" + struct.pack("<H", 3 * 256 + 20) + shared
    central += struct.pack("<3H2L", 0, 0, 0, 0o100644 << 16, 0) + b"a"
    end = b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 1, 1, 47, 32, 0)
    assert zipped({"a": b"b"}) == local + central + end


@pytest.mark.parametrize("bits", [0x01, 0xFF])
def test_every_single_byte_flip_of_a_package_is_detected(tiny: bytes, bits: int) -> None:
    """All bytes: one bit that moves with the byte, and all eight bits."""
    assert read_archive(memoryview(tiny))
    content = bytearray(tiny)
    undetected = []
    for at in range(len(content)):
        flip = bits if bits == 0xFF else 1 << at % 8
        content[at] ^= flip
        try:
            read_archive(memoryview(content))
        except RefusedError as error:
            if not str(error):
                undetected.append(at)
        else:
            undetected.append(at)
        content[at] ^= flip
    assert undetected == []
    assert bytes(content) == tiny
