"""Data sets on disk as people have them, small, written byte by byte where no library would."""

from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from PIL import Image

Plant = Callable[[Mapping[str, bytes]], Path]
Pack = Callable[[str, Mapping[str, bytes]], Path]
Pickle = Callable[[str, Sequence[int], bytes], bytes]


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Writes files, by their names relative to a root, and gives the root."""

    def write(files: Mapping[str, bytes]) -> Path:
        root = tmp_path / "photos"
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return root

    return write


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    """Writes a tar of these members in this order and gives its path."""

    def write(name: str, members: Mapping[str, bytes]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w") as archive:
            for member, content in members.items():
                header = tarfile.TarInfo(member)
                header.size = len(content)
                archive.addfile(header, io.BytesIO(content))
        return path

    return write


@pytest.fixture
def jpeg() -> bytes:
    """A real photograph's format: 8 × 8 pixels, one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 60)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def python2_pickle() -> Pickle:
    """A CIFAR test split as Python 2 pickled it, protocol 2: texts are byte strings (U, T)."""

    def short(text: bytes) -> bytes:
        return b"U" + bytes([len(text)]) + text

    def number(value: int) -> bytes:
        return b"K" + bytes([value]) if value < 256 else b"M" + struct.pack("<H", value)

    def write(key: str, labels: Sequence[int], pixels: bytes) -> bytes:
        count = len(labels)
        listed = b"".join(map(number, labels))
        array = (
            b"cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04"
            b"K\x00\x85U\x01b\x87Rq\x05(K\x01"
            + (number(count) + number(3072) + b"\x86")
            + (b"cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNN")
            + (b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89")
            + (b"T" + struct.pack("<I", len(pixels)) + pixels + b"tb")
        )
        batch = short(b"batch_label") + short(b"testing batch 1 of 1")
        names = short(b"filenames") + b"]q\x08(" + short(b"domestic_cat_s_000907.png") + b"e"
        body = batch + short(key.encode()) + b"]q\x02(" + listed + b"e"
        return b"\x80\x02}q\x01(" + body + short(b"data") + array + names + b"u."

    return write
