"""The two containers of ``torch.save``: the legacy stream (before 1.6) and the zip archive.

Reading gives the pickled object as plain values, with tensors as references, and the places in
the file where their numbers lie. No number is read here.

``torch.load(weights_only=True)`` is not used: it refuses DNW's files, and it takes memory on the
file's word (a pickled ``bytearray(10**12)`` is on its list of safe calls).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.reductions import UNTYPED, StorageRef, TensorRef
from micronet.checkpoints.source import Cursor, RefusedError
from micronet.checkpoints.unpickle import load_pickle
from micronet.checkpoints.ziprecords import read_records

if TYPE_CHECKING:
    from collections.abc import Iterable

MAGIC: Final = 0x1950A86A20F9469CFC6C
PROTOCOL: Final = 1001
PROTO: Final = 0x80  # the opcode that every pickle begins with
MAGIC_START: Final = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # the magic's pickle, behind PROTO n

ITEM_BYTES: Final = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
    "float8_e4m3fnuz": 1,
    "float8_e5m2fnuz": 1,
    UNTYPED: 1,
}


@dataclass(frozen=True)
class TorchFile:
    """The pickled object, and for each storage key where its bytes begin and how many there are."""

    value: Any
    data: memoryview
    places: dict[str, tuple[int, int]]


def is_legacy(data: memoryview) -> bool:
    """Whether ``data`` begins as a legacy torch file does."""
    return data[0] == PROTO and bytes(data[2 : 2 + len(MAGIC_START)]) == MAGIC_START


def read_legacy(data: memoryview) -> TorchFile:
    """The legacy stream: five pickles, then for each storage its int64 length and its numbers.

    RefusedError says what is wrong.
    """
    cursor = Cursor(data)
    magic, protocol, system = (load_pickle(cursor) for _ in range(3))
    if magic != MAGIC or protocol != PROTOCOL:
        raise RefusedError(f"protocol {protocol!r} of the legacy torch format, expected {PROTOCOL}")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise RefusedError("written on a machine of the other byte order")
    value = load_pickle(cursor)
    keys = load_pickle(cursor)
    wanted = _storages(value)
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(wanted):
        raise RefusedError("the list of storages is not the one that its tensors need")
    places: dict[str, tuple[int, int]] = {}
    for key in keys:
        (numel,) = struct.unpack("<q", cursor.read(8))
        ref = wanted[key]
        if numel != ref.numel:
            raise RefusedError(f"storage {key} has {numel} numbers, its tensors say {ref.numel}")
        size = numel * ITEM_BYTES[ref.dtype]
        places[key] = (cursor.skip(size), size)
    return TorchFile(value, data, places)


def read_zip(data: memoryview) -> TorchFile:
    """The zip archive: data.pkl, and one record a storage. RefusedError says what is wrong."""
    records = read_records(data)
    if "byteorder" in records and records.read("byteorder") != b"little":
        raise RefusedError("written on a machine of the other byte order")
    start, size = records.place("data.pkl")
    value = load_pickle(Cursor(data[start : start + size]))
    places: dict[str, tuple[int, int]] = {}
    for key, ref in _storages(value).items():
        start, size = records.place(f"data/{key}")
        if size != ref.numel * ITEM_BYTES[ref.dtype]:
            raise RefusedError(
                f"storage {key} has {size} bytes, its tensors say {ref.numel} numbers"
            )
        places[key] = (start, size)
    return TorchFile(value, data, places)


def _storages(value: Any) -> dict[str, StorageRef]:
    found: dict[str, StorageRef] = {}
    for ref in references(value):
        known = found.setdefault(ref.storage.key, ref.storage)
        if (known.dtype, known.numel) != (ref.storage.dtype, ref.storage.numel):
            raise RefusedError(f"storage {known.key} is described in two ways")
    return found


def references(value: Any) -> Iterable[TensorRef]:
    """Every tensor within ``value``, however deep; shared parts are visited once."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, TensorRef):
            yield item
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
        elif hasattr(item, "arguments"):
            waiting.extend((item.arguments, item.state))
