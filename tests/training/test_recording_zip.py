"""A zip that somebody made is no recording: one line says what is wrong with it."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from micronet.errors import MicronetError
from micronet.training.recording_file import read_recording
from tests.training.hostile_recordings import content_of_four, problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def content() -> bytes:
    return content_of_four()


def rewritten(content: bytes, **settings: Any) -> bytes:
    page = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(page, "w", **settings) as new,
    ):
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
    return page.getvalue()


def with_twice(content: bytes) -> bytes:
    page = io.BytesIO(content)
    with zipfile.ZipFile(page, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("loss.npy", b"")
    return page.getvalue()


def with_bytes(content: bytes, name: str, member: bytes) -> bytes:
    """``content`` with another member ``name``, of these bytes."""
    page = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(page, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            new.writestr(info.filename, member if info.filename == name else old.read(info))
    return page.getvalue()


def entry(content: bytes, name: bytes) -> int:
    """Where the directory's entry of the member ``name`` begins."""
    return content.rindex(name) - 46


def patched(content: bytes, at: int, layout: str, value: int) -> bytes:
    changed = bytearray(content)
    struct.pack_into(layout, changed, at, value)
    return bytes(changed)


def damaged(content: bytes) -> bytes:
    """One bit of the last weight's moves is another."""
    at = content.index(b"moves/00003.npy") + 120
    return patched(content, at, "B", content[at] ^ 1)


def with_zip64(content: bytes) -> bytes:
    """The locator of a zip64 directory, which could say anything of its size."""
    return content[:-22] + struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1) + content[-22:]


def npy(head: bytes, items: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + items


def head(shape: str) -> bytes:
    return b"{'descr': '<f8', 'fortran_order': False, 'shape': %s, } \n" % shape.encode()


LOSS = b"loss.npy"
FILES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "an empty file": (lambda _: b"", "it is not a zip archive, or is cut off"),
    "a text": (lambda _: b"step,loss\n" * 9, "it is not a zip archive, or is cut off"),
    "a file cut off": (lambda c: c[:-1], "it is not a zip archive, or is cut off"),
    "a file cut off early": (lambda c: c[:300], "it is not a zip archive, or is cut off"),
    "a file with more behind": (lambda c: c + b"x", "it is not a zip archive, or is cut off"),
    "an end without its archive": (lambda c: c[-22:], "it is not a zip archive ("),
    "a file without its beginning": (lambda c: c[1000:], "header.npy is damaged ("),
    "a zip of nothing": (
        lambda _: b"PK\5\6" + bytes(18),
        "it has no member header",
    ),
    "a member twice": (with_twice, "two of its members have the same name"),
    "zip64": (with_zip64, "it has more than 65,535 members"),
    "an endless directory": (
        lambda c: patched(c, len(c) - 10, "<L", 2**31),
        "it has more than 65,535 members",
    ),
    "a member packed by lzma": (
        lambda c: rewritten(c, compression=zipfile.ZIP_LZMA),
        "'header.npy' is packed in an unknown way",
    ),
    "an encrypted member": (
        lambda c: patched(c, entry(c, LOSS) + 8, "<H", 1),
        "'loss.npy' is encrypted",
    ),
    "a huge member": (
        lambda c: patched(c, entry(c, LOSS) + 24, "<L", 2**29),
        "'loss.npy' unpacks to 536,870,912 bytes, more than 268,435,456",
    ),
    "huge members": (
        lambda c: patched(
            patched(c, entry(c, LOSS) + 24, "<L", 2**32 - 2),
            entry(c, b"step.npy") + 24,
            "<L",
            2**31,
        ),
        "it unpacks to 6,442,",
    ),
    "a member longer than it says": (
        lambda c: patched(c, entry(c, LOSS) + 24, "<L", 100),
        "loss.npy is damaged (",
    ),
    "a member shorter than it says": (
        lambda c: patched(c, entry(c, LOSS) + 24, "<L", 180),
        "loss.npy is damaged (",
    ),
    "a damaged member": (damaged, "moves/00003.npy is damaged ("),
    "a member outside the file": (
        lambda c: patched(c, entry(c, LOSS) + 42, "<L", 2**31),
        "loss.npy is damaged (",
    ),
    "a member that is no array": (
        lambda c: with_bytes(c, "loss.npy", b"none"),
        "loss.npy is no array as numpy writes it",
    ),
    "a shape that promises more": (
        lambda c: with_bytes(c, "loss.npy", npy(head("(999999999999,)"))),
        "loss.npy has 0 bytes for the shape [999999999999]",
    ),
    "a shape that overflows": (
        lambda c: with_bytes(c, "largest.npy", npy(head("(999999999999, 999999999999)"))),
        "largest.npy has 0 bytes for the shape",
    ),
    "a shape of a hundred digits": (
        lambda c: with_bytes(c, "loss.npy", npy(head("(" + "9" * 100 + ",)"))),
        "loss.npy is no array as numpy writes it",
    ),
    "a shape that is a call": (
        lambda c: with_bytes(c, "loss.npy", npy(head("(exit(),)"))),
        "loss.npy is no array as numpy writes it",
    ),
    "a later version of npy": (
        lambda c: with_bytes(
            c, "loss.npy", b"\x93NUMPY\x02\x00" + bytes(4) + head("(4,)") + bytes(32)
        ),
        "loss.npy is no array as numpy writes it",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_files_that_cannot_be_are_refused(case: str, content: bytes, tmp_path: Path) -> None:
    made, expected = FILES[case]

    assert problem(tmp_path, made(content)).startswith(expected)


def test_whatever_bytes_are_changed_there_is_no_traceback(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "recording.npz"
    rng = np.random.default_rng(11)
    refused = 0
    for _ in range(300):
        changed = bytearray(content)
        for at in rng.integers(len(content), size=3):
            changed[at] = rng.integers(256)
        path.write_bytes(changed)
        try:
            list(read_recording(path).history())
        except MicronetError:
            refused += 1
    assert refused > 250
