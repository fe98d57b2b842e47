"""Nothing in a checkpoint runs, and none takes memory on its own word.

Every attack would leave a canary, a file, behind; the first tests show that it would.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import operator
import os
import pickle
import runpy
import struct
import subprocess
import sys
import tracemalloc
import types
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from micronet.checkpoints import source, unpickle
from micronet.checkpoints.formats import read_state_file
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from tests.checkpoints.conftest import Files


class Call:
    """Pickles as the call ``function(*arguments)``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __call__(self) -> None:
        """pickle wants functions to be callable, also those that are results of calls."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (self.function, self.arguments)


def evil_bytes(call: Call) -> bytes:
    return pickle.dumps(call, 2)


class Attacks:
    """Each method gives the pickle of an attack that makes the file ``canary``."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary
        self.code = f"open({str(canary)!r}, 'w').close()"
        self.shell = f"touch {canary}"

    def os_system(self) -> bytes:
        return evil_bytes(Call(os.system, self.shell))

    def builtins_eval(self) -> bytes:
        return evil_bytes(Call(eval, self.code))

    def builtins_exec(self) -> bytes:
        return evil_bytes(Call(exec, self.code))

    def builtins_open(self) -> bytes:
        return evil_bytes(Call(open, str(self.canary), "w"))

    def popen(self) -> bytes:
        return evil_bytes(Call(subprocess.Popen, ["touch", str(self.canary)]))

    def getattr_chain(self) -> bytes:
        module = Call(importlib.import_module, "os")
        return evil_bytes(Call(Call(getattr, module, "system"), self.shell))

    def attrgetter(self) -> bytes:
        getter = Call(operator.attrgetter, "system")
        return evil_bytes(Call(Call(getter, Call(importlib.import_module, "os")), self.shell))

    def methodcaller(self) -> bytes:
        caller = Call(operator.methodcaller, "system", self.shell)
        return evil_bytes(Call(caller, Call(importlib.import_module, "os")))

    def runpy_code(self) -> bytes:
        return evil_bytes(Call(runpy._run_code, self.code, {}))  # type: ignore[attr-defined]

    def load_from_bytes(self) -> bytes:
        inner = Call(os.system, self.shell)
        content = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)
        content += pickle.dumps({"little_endian": True}, 2) + pickle.dumps(inner, 2)
        return evil_bytes(Call(torch.storage._load_from_bytes, content + pickle.dumps([], 2)))

    def inst_opcode(self) -> bytes:
        return b"(S'" + self.shell.encode() + b"'\nios\nsystem\n."

    def obj_opcode(self) -> bytes:
        return b"(cbuiltins\nexec\nX" + text_bytes(self.code) + b"o."

    def stack_global(self) -> bytes:
        return b"\x80\x04\x8c\x05posix\x8c\x06system\x93X" + text_bytes(self.shell) + b"\x85R."

    def setstate(self) -> bytes:
        return b"\x80\x02cevil\nOnState\n)\x81X" + text_bytes(str(self.canary)) + b"b."

    def setitem(self) -> bytes:
        return b"\x80\x02cevil\nOnItem\n)\x81X" + text_bytes(str(self.canary)) + b"K\x01s."

    def append(self) -> bytes:
        return b"\x80\x02cevil\nOnItem\n)\x81X" + text_bytes(str(self.canary)) + b"a."

    def importing(self) -> bytes:
        return b"\x80\x02cevil_module\nanything\n."


def text_bytes(text: str) -> bytes:
    return struct.pack("<I", len(text.encode())) + text.encode()


ATTACKS = sorted(name for name in vars(Attacks) if not name.startswith("_"))


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


@pytest.fixture(autouse=True)
def evil(tmp_path: Path, canary: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Importable modules whose classes, or whose import, make the canary."""
    module = types.ModuleType("evil")

    class OnState:
        def __setstate__(self, state: str) -> None:
            Path(state).touch()

    class OnItem:
        def __setitem__(self, key: str, _: Any) -> None:
            Path(key).touch()

        def append(self, item: str) -> None:
            Path(item).touch()

    module.OnState, module.OnItem = OnState, OnItem  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "evil", module)
    (tmp_path / "evil_module.py").write_text(f"open({str(canary)!r}, 'w').close(); anything = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("evil_module", None)


def settle(canary: Path) -> bool:
    """Whether the canary is there, after children that may still make it have ended."""
    if hasattr(os, "waitpid"):
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            pass
    return canary.exists()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ATTACKS)
def test_the_canary_would_notice(name: str, canary: Path) -> None:
    """Python's own unpickler does run each of these attacks."""
    made = pickle.loads(getattr(Attacks(canary), name)())  # noqa: S301 - that is the point
    if isinstance(made, subprocess.Popen):
        made.wait()
    if hasattr(made, "close"):
        made.close()
    assert settle(canary)


Container = Callable[["Files", bytes], Path]
CONTAINERS: dict[str, Container] = {
    "legacy": lambda files, body: files.legacy(body),
    "zip": lambda files, body: files.zip(body),
    "native-like": lambda files, body: files.zip(
        pickle.dumps({"format": "micronet.checkpoint"}, 2)[:-1]
        + b"X\x07\x00\x00\x00tensors"
        + body[:-1].removeprefix(b"\x80\x02").removeprefix(b"\x80\x04")
        + b"s."
    ),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_runs_and_each_is_one_clear_error(
    name: str, container: str, canary: Path, files: Files
) -> None:
    path = CONTAINERS[container](files, getattr(Attacks(canary), name)())
    with pytest.raises(MicronetError) as caught:
        read_state_file(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert not settle(canary)
    assert "evil_module" not in sys.modules


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_runs_beside_honest_weights(name: str, canary: Path, files: Files) -> None:
    """The dictionary {"x": attack, "w": tensor}: refused, or read without the attack."""
    attack = getattr(Attacks(canary), name)()[:-1]
    attack = attack.removeprefix(b"\x80\x02").removeprefix(b"\x80\x04")
    weight = (
        b"X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n"
        b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
        b"K\x02tQK\x00K\x02\x85K\x01\x85\x89}tR"
    )
    body = b"\x80\x02}X\x01\x00\x00\x00x" + attack + b"s" + weight + b"s."
    path = files.zip(body, {"0": [1.0, 2.0]})
    with contextlib.suppress(MicronetError):
        state = read_state_file(path)
        assert list(state.tensors) == ["w"]
        assert state.tensors["w"].tolist() == [1.0, 2.0]
    assert not settle(canary)


def nested(opening: bytes, closing: bytes, depth: int) -> bytes:
    return b"\x80\x02" + opening * depth + closing * (depth - 1) + b"."


def laughs(opening: bytes) -> bytes:
    """Sixty levels, each holding the one below twice: 2**60 leaves in a kilobyte."""
    body = b"\x80\x02]q\x00"
    for level in range(60):
        body += (
            b"0"
            + opening
            + bytes([level])
            + b"h"
            + bytes([level])
            + b"e"
            + b"q"
            + bytes([level + 1])
        )
    return body + b"."


def shared_dictionaries() -> bytes:
    body = b"\x80\x02}q\x00"
    for level in range(60):
        memo = bytes([level])
        pairs = b"X\x01\x00\x00\x00ah" + memo + b"X\x01\x00\x00\x00bh" + memo
        body += b"0}(" + pairs + b"uq" + bytes([level + 1])
    return body + b"."


BOMBS = {
    "memo index of four billion": b"\x80\x02}r\xff\xff\xff\xff.",
    "bytes of an exabyte": b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"abc.",
    "bytearray of an exabyte": b"\x80\x05\x96" + struct.pack("<Q", 2**60) + b"abc.",
    "text of an exabyte": b"\x80\x04\x8d" + struct.pack("<Q", 2**60) + b"abc.",
    "text of 4 GiB": b"\x80\x02X" + struct.pack("<I", 2**32 - 1) + b"abc.",
    "whole number of 2 GiB": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"abc.",
    "whole number of 100 kB": b"\x80\x02\x8b" + struct.pack("<i", 10**5) + b"\x7f" * 10**5 + b".",
    "decimal number of 100 kB": b"L" + b"9" * 60_000 + b"L\n.",
    "endless line": b"c" + b"a" * 10**6,
    "negative size": b"\x80\x02T" + struct.pack("<i", -1) + b"abc.",
    "bytearray call": pickle.dumps(Call(bytearray, 10**12), 2),
    "list repeated": pickle.dumps(Call(operator.mul, [0], 10**12), 2),
    "lists 20,000 deep": nested(b"]", b"a", 20_000),
    "tuples 20,000 deep": b"\x80\x02)" + b"\x85" * 20_000 + b".",
    "tuple 20,000 deep as a key": b"\x80\x02})" + b"\x85" * 20_000 + b"K\x01s.",
    "marks 20,000 deep": b"\x80\x02" + b"(" * 20_000 + b".",
    "billion laughs of lists": laughs(b"](h"),
    "billion laughs of dictionaries": shared_dictionaries(),
    "list that holds itself": b"\x80\x02]q\x00h\x00a.",
    "extension registry": b"\x80\x02\x82\x01.",
    "out-of-band buffer": b"\x80\x05\x97.",
    "stack underflow": b"\x80\x02R.",
    "no end": b"\x80\x02}",
    "nothing": b"",
}


@pytest.mark.parametrize("container", ["legacy", "zip"])
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_without_memory(name: str, container: str, files: Files) -> None:
    path = CONTAINERS[container](files, BOMBS[name])
    tracemalloc.start()
    try:
        with pytest.raises(MicronetError) as caught:
            read_state_file(path)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 600
    assert peak_bytes < 64 * 2**20


def test_opcodes_are_counted(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpickle, "MAX_OPCODES", 100)
    with pytest.raises(MicronetError, match="more than 100 pickle opcodes"):
        read_state_file(files.zip({f"k{i}": i for i in range(200)}))


def test_settings_beside_weights_cannot_multiply(files: Files) -> None:
    """Four levels of a thousand references each would be a thousand billion values."""
    level: list[Any] = [1] * 1000
    for _ in range(3):
        level = [level] * 1000
    path = files.torch({"big": level, "epoch": 7, "state_dict": {"w": torch.ones(2)}})
    state = read_state_file(path)
    assert list(state.tensors) == ["w"]
    assert "big" not in state.meta


@pytest.mark.parametrize("key", [b")\x85\x85", b"]", b"}", b"cos\nsystem\n"], ids=repr)
def test_keys_are_plain_so_that_hashing_them_is_shallow(key: bytes, files: Files) -> None:
    """A tuple nested a million deep as a key would overflow the C stack when it is hashed."""
    with pytest.raises(MicronetError, match="a dictionary key that is not a plain value"):
        read_state_file(files.zip(b"\x80\x02}" + key + b"K\x01s."))


# --- tensors that lie about their storage -------------------------------------------------------


LIES = {
    "shape beyond the storage": (0, (5,), (1,), "shape [5] needs more"),
    "offset beyond the storage": (4, (1,), (1,), "reaches number 4 of a storage of 4"),
    "strides beyond the storage": (0, (2, 2), (3, 1), "reaches number 4 of a storage of 4"),
    "negative offset": (-1, (1,), (1,), "not whole numbers from 0"),
    "negative stride": (3, (4,), (-1,), "not whole numbers from 0"),
    "negative shape": (0, (-1,), (1,), "not whole numbers from 0"),
    "expanded to 10**12": (0, (10**12,), (0,), "needs more than its 4 numbers"),
    "sizes that overflow": (0, (2**62, 4, 4), (1, 1, 1), "needs more than its 4 numbers"),
    "thirty dimensions": (0, (1,) * 30, (1,) * 30, "needs more than its 4 numbers"),
    "strides of another rank": (0, (2, 2), (1,), "2 dimensions with 1 strides"),
    "shape of texts": (0, ("a",), (1,), "not whole numbers from 0"),
    "shape that is no tuple": (0, None, (1,), "not whole numbers from 0"),
}


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])
@pytest.mark.parametrize("name", LIES)
def test_a_tensor_outside_its_storage_is_refused(name: str, *, legacy: bool, files: Files) -> None:
    offset, shape, strides, expected = LIES[name]
    write = files.legacy if legacy else files.zip
    path = write(files.tensor(offset, shape, strides), {"0": [1, 2, 3, 4]})
    with pytest.raises(MicronetError) as caught:
        read_state_file(path)
    assert expected in caught.value.message


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])
def test_a_storage_longer_than_the_file_is_refused(*, legacy: bool, files: Files) -> None:
    value = files.tensor(0, (2**40,), (1,), numel=2**40)
    if legacy:
        path = files.legacy(value, {"0": [1, 2]})
        content = bytearray(path.read_bytes())
        content[-16:-8] = struct.pack("<q", 2**40)
        path.write_bytes(content)
        expected = "bytes are announced"
    else:
        path, expected = files.zip(value, {"0": [1, 2]}), "storage 0 has 8 bytes"
    with pytest.raises(MicronetError, match=expected):
        read_state_file(path)


@pytest.mark.parametrize(
    ("view", "expected"),
    [((1, 2), [2.0, 3.0]), ((3, 2), None), ((0, 2**62), None)],
    ids=["inside", "beyond", "far beyond"],
)
def test_legacy_views_of_storages(
    view: tuple[int, int], expected: list[float] | None, files: Files
) -> None:
    """A view names (key, first number, count) of its storage; the tensor may use no other."""
    path = files.legacy(files.tensor(0, (2,), (1,), view=("9", *view)), {"0": [1, 2, 3, 4]})
    if expected is None:
        with pytest.raises(MicronetError, match="a view of numbers"):
            read_state_file(path)
    else:
        assert read_state_file(path).tensors["w"].tolist() == expected


def test_a_tensor_may_not_leave_its_view(files: Files) -> None:
    path = files.legacy(files.tensor(1, (2,), (1,), view=("9", 0, 2)), {"0": [1, 2, 3, 4]})
    with pytest.raises(MicronetError, match="reaches number 2 of a storage of 2"):
        read_state_file(path)


# --- archives ------------------------------------------------------------------------------------


def honest_zip(files: Files, **extra: bytes) -> Path:
    return files.zip(files.tensor(0, (4,), (1,)), {"0": [1, 2, 3, 4]}, extra)


@pytest.mark.parametrize(
    "name", ["../up", "/etc/passwd", "a/../../up", "archive\\..\\up", "C:/windows/up"]
)
def test_records_that_leave_the_archive_are_refused(name: str, files: Files) -> None:
    with pytest.raises(MicronetError, match="leaves the archive"):
        read_state_file(honest_zip(files, **{name: b"x"}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_records_of_one_name_are_refused(files: Files) -> None:
    with pytest.raises(MicronetError, match="two records are called 'archive/data/0'"):
        read_state_file(honest_zip(files, **{"archive/data/0": b"\0" * 16}))


def test_a_deflate_bomb_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10**7)
    with pytest.raises(MicronetError, match="records of 10000000 bytes in a file of"):
        read_state_file(path)


def test_compressed_records_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", os.urandom(500) + b"\0" * 10)
        archive.writestr(zipfile.ZipInfo("archive/pad"), b"x" * 1000, zipfile.ZIP_STORED)
    with pytest.raises(MicronetError, match="is compressed"):
        read_state_file(path)


def test_overlapping_records_cannot_promise_more_than_the_file(files: Files) -> None:
    """A directory that lists one record's bytes a thousand times: its sizes exceed the file."""
    path = honest_zip(files)
    content = path.read_bytes()
    start = content.index(b"PK\1\2")
    end = content.index(b"PK\5\6")
    entry = content[content.rindex(b"PK\1\2") : end]
    many = b"".join(entry.replace(b"data/0", b"data/%c" % (65 + i)) for i in range(26))
    tail = bytearray(content[end:])
    count = content[start:end].count(b"PK\1\2") + 26
    tail[8:12] = struct.pack("<HH", count, count)
    tail[12:16] = struct.pack("<I", end - start + len(many))
    path.write_bytes(content[:end] + many + bytes(tail))
    with pytest.raises(MicronetError, match=r"has no header of its own|records of"):
        read_state_file(path)


def test_a_damaged_weight_is_noticed(files: Files) -> None:
    path = honest_zip(files)
    row = np.array([1, 2, 3, 4], dtype="<f4").tobytes()
    damaged = np.array([1, 2, 3, 5], dtype="<f4").tobytes()
    assert zlib.crc32(row) != zlib.crc32(damaged)
    path.write_bytes(path.read_bytes().replace(row, damaged))
    with pytest.raises(MicronetError, match="'data/0' is damaged"):
        read_state_file(path)


def test_more_bytes_than_a_checkpoint_has_are_refused(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MAX_FILE_BYTES", 100)
    with pytest.raises(MicronetError, match="more than 100 are refused"):
        read_state_file(honest_zip(files))


def test_reading_calls_no_import(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of classes are never looked up: no import of theirs while such a file is read."""
    asked: list[str] = []
    real = builtins.__import__

    def spy(name: str, *rest: Any, **named: Any) -> Any:
        asked.append(name)
        return real(name, *rest, **named)

    path = files.zip(b"\x80\x02ctrain\nMeter\n)\x81.")
    monkeypatch.setattr(builtins, "__import__", spy)
    with pytest.raises(MicronetError, match=r"class train\.Meter without weights"):
        read_state_file(path)
    assert "train" not in asked
