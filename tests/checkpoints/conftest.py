"""Files of the formats that checkpoints come in, written byte by byte where torch would not."""

from __future__ import annotations

import collections
import io
import pickle
import struct
import sys
import types
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

MAGIC = 0x1950A86A20F9469CFC6C


@dataclass
class Stored:
    """Stands for a storage in a pickle that a test makes: becomes a persistent id."""

    key: str
    numel: int
    view: tuple[str, int, int] | None = None
    kind: Any = torch.FloatStorage


@dataclass
class Rebuilt:
    """Pickles as a call of torch's tensor rebuilder with these arguments, right or wrong."""

    storage: Any
    offset: Any
    shape: Any
    strides: Any

    def __reduce__(self) -> tuple[Any, ...]:
        hooks: dict[str, Any] = collections.OrderedDict()
        arguments = (self.storage, self.offset, self.shape, self.strides, False, hooks)
        return (torch._utils._rebuild_tensor_v2, arguments)


class _Pickler(pickle.Pickler):
    legacy = True

    def persistent_id(self, item: Any) -> Any:
        if isinstance(item, Stored):
            base = ("storage", item.kind, item.key, "cpu", item.numel)
            return (*base, item.view) if self.legacy else base
        return None


def pickled(value: Any, *, legacy: bool) -> bytes:
    buffer = io.BytesIO()
    pickler = _Pickler(buffer, protocol=2)
    pickler.legacy = legacy
    pickler.dump(value)
    return buffer.getvalue()


Numbers = Mapping[str, Sequence[float]]


class Files:
    """Writes files into a folder and returns their paths."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def tensor(
        offset: Any,
        shape: Any,
        strides: Any,
        numel: int = 4,
        view: tuple[str, int, int] | None = None,
        *,
        kind: Any = torch.FloatStorage,
    ) -> dict[str, Rebuilt]:
        """The state dict {"w": a tensor described so}, in a storage "0" of ``numel`` numbers."""
        return {"w": Rebuilt(Stored("0", numel, view, kind), offset, shape, strides)}

    def raw(self, content: bytes, name: str = "file.pt") -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def legacy(self, value: Any, numbers: Numbers | None = None) -> Path:
        """The stream of torch before 1.6; ``value`` may be a finished pickle."""
        body = value if isinstance(value, bytes) else pickled(value, legacy=True)
        system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
        storages = numbers or {}
        parts = [pickle.dumps(item, 2) for item in (MAGIC, 1001, system)]
        parts += [body, pickle.dumps(sorted(storages), 2)]
        for key in sorted(storages):
            array = np.array(storages[key], dtype="<f4")
            parts += [struct.pack("<q", array.size), array.tobytes()]
        return self.raw(b"".join(parts), "legacy.pt")

    def zip(
        self, value: Any, numbers: Numbers | None = None, extra: Mapping[str, bytes] | None = None
    ) -> Path:
        """The archive of today's torch; ``extra`` are further records."""
        body = value if isinstance(value, bytes) else pickled(value, legacy=False)
        path = self.folder / "zip.pt"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("archive/data.pkl", body)
            for key, row in (numbers or {}).items():
                archive.writestr(f"archive/data/{key}", np.array(row, dtype="<f4").tobytes())
            for name, content in (extra or {}).items():
                archive.writestr(name, content)
        return path

    def torch(self, value: Any, *, legacy: bool = False, name: str = "torch.pt") -> Path:
        path = self.folder / name
        torch.save(value, path, _use_new_zipfile_serialization=not legacy)
        return path


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


Release = Callable[..., Path]


@pytest.fixture
def release(tmp_path: Path) -> Iterator[Release]:
    """Writes a file of exactly the form of DNW's MobileNet release, foreign class and all.

    The module ``train`` that it was pickled with is gone when the file is read.
    """

    def write(tensors: Mapping[str, torch.Tensor], name: str, *, optimizer: bool = False) -> Path:
        module = types.ModuleType("train")
        meter = type("Meter", (), {"__module__": "train"})
        setattr(module, "Meter", meter)  # noqa: B010 - a module made here has no such attribute
        sys.modules["train"] = module
        try:
            value = meter()
            value.data, value.sum = [0.25, 0.5], np.float64(0.75)
            state = collections.OrderedDict((f"module.{k}", v) for k, v in tensors.items())
            momentum = {7: {"momentum_buffer": next(iter(tensors.values())).clone()}}
            content = {
                "model": state,
                "optimizer": {"state": momentum if optimizer else {}, "param_groups": []},
                "last_epoch": 249,
                "best_val": np.float64(0.609),
                "meters": {"train": {"top1_error": value}},
                "iter": np.int64(626_000),
            }
            path = tmp_path / name
            torch.save(content, path, _use_new_zipfile_serialization=False)
        finally:
            del sys.modules["train"]
        return path

    yield write
    sys.modules.pop("train", None)


@pytest.fixture
def shelf_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that micronet takes for the place of built and fetched files."""
    folder = tmp_path / "shelf"
    monkeypatch.setenv("MICRONET_CHECKPOINTS", str(folder))
    return folder
