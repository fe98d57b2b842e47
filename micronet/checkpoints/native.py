"""micronet's own checkpoint: a zip that ``torch.load(weights_only=True)`` reads, plain and packed.

The same content gives the same bytes. Layout of the pickled dictionary, version 1::

    {"format": "micronet.checkpoint", "version": 1, "architecture": str, "config": {…},
     "provenance": {…}, "quantisation": {…},
     "tensors": {name: Tensor | {"shape": [int], "mask": uint8 Tensor, "values": Tensor}}}
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import torch

from micronet.checkpoints.atomic import write_bytes
from micronet.checkpoints.packing import Packed, pack, packing_saves
from micronet.checkpoints.packing import unpack as unpacked
from micronet.checkpoints.reductions import TensorRef
from micronet.checkpoints.source import RefusedError
from micronet.checkpoints.tensors import dtype_of, tensors_of
from micronet.checkpoints.torchfile import ITEM_BYTES, TorchFile
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from pathlib import Path

FORMAT: Final = "micronet.checkpoint"
VERSION: Final = 1
MAX_UNPACKED_BYTES: Final = 4 * 2**30
_KEYS: Final = ("architecture", "config", "provenance", "quantisation", "tensors")


@dataclass(frozen=True)
class Checkpoint:
    """What a native file holds. ``provenance["weights"]`` is "trained" or "untrained"."""

    architecture: str
    config: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]
    provenance: Mapping[str, Any]
    quantisation: Mapping[str, Any] = field(default_factory=dict)


def write_native(path: Path, checkpoint: Checkpoint) -> None:
    """Write ``checkpoint`` to ``path`` in one step: afterwards the file is whole or as before.

    Values must be plain (None, bool, int, float, str, lists, dictionaries); MicronetError names
    one that is not, or a tensor of a type that is not stored.
    """
    value = {
        "format": FORMAT,
        "version": VERSION,
        "architecture": checkpoint.architecture,
        "config": _plain("config", dict(checkpoint.config)),
        "provenance": _plain("provenance", dict(checkpoint.provenance)),
        "quantisation": _plain("quantisation", dict(checkpoint.quantisation)),
        "tensors": _stored(checkpoint.tensors),
    }
    buffer = io.BytesIO()  # a path would become part of the bytes
    torch.save(value, buffer)
    write_bytes(path, buffer.getbuffer())


def _stored(tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    stored: dict[str, Any] = {}
    known: dict[tuple[Any, ...], Any] = {}
    for name, tensor in tensors.items():
        if str(tensor.dtype).removeprefix("torch.") not in ITEM_BYTES or tensor.is_meta:
            raise MicronetError(f"{name}: tensors of type {tensor.dtype} cannot be stored.")
        whole = tensor.detach().cpu()
        same = (whole.data_ptr(), whole.shape, whole.stride(), whole.dtype)
        if same not in known or not whole.numel():
            known[same] = _entry(whole)  # tied tensors are stored once
        stored[sys.intern(name)] = known[same]
    return stored


def _entry(tensor: torch.Tensor) -> torch.Tensor | dict[str, Any]:
    if not packing_saves(tensor):
        return tensor.contiguous().clone()
    packed = pack(tensor)
    return {"shape": list(packed.shape), "mask": packed.mask, "values": packed.values}


def _plain(where: str, value: Any) -> Any:
    """A copy of plain values whose equal texts are one object (pickle writes those once)."""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise MicronetError(f"{where}: a key that is not text cannot be stored.")
        return {sys.intern(key): _plain(f"{where}.{key}", item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(where, item) for item in value]
    if isinstance(value, str):
        return sys.intern(str(value))
    if value is None or type(value) in (bool, int, float):
        return value
    raise MicronetError(f"{where}: a {type(value).__name__} cannot be stored, only plain values.")


def is_native(value: Any) -> bool:
    """Whether the pickled ``value`` is that of a native file, of whatever version."""
    return isinstance(value, dict) and value.get("format") == FORMAT


def unpack(file: TorchFile) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors, and the rest under its keys. RefusedError says what is wrong."""
    value = file.value
    if value.get("version") != VERSION:
        raise RefusedError(f"version {value.get('version')!r} of its format, expected {VERSION}")
    wrong = [key for key in _KEYS[1:] if not isinstance(value.get(key), dict)]
    if wrong or not isinstance(value.get("architecture"), str):
        raise RefusedError(f"{(wrong or ['architecture'])[0]} is missing")
    entries = value["tensors"]
    dense = {name: entry for name, entry in entries.items() if isinstance(entry, TensorRef)}
    packed = {name: entry for name, entry in entries.items() if name not in dense}
    _check_packed(packed)
    tensors = tensors_of(file, dense)
    for name, entry in packed.items():
        parts = tensors_of(file, {"mask": entry["mask"], "values": entry["values"]})
        try:
            tensors[name] = unpacked(Packed(tuple(entry["shape"]), **parts))
        except RefusedError as error:
            raise RefusedError(f"{name}: {error}") from error
    return {name: tensors[name] for name in entries}, {key: value[key] for key in _KEYS[:-1]}


def _check_packed(packed: Mapping[Any, Any]) -> None:
    total = 0
    for name, entry in packed.items():
        if not isinstance(entry, dict) or set(entry) != {"shape", "mask", "values"}:
            raise RefusedError(f"{name}: neither a tensor nor a packed one")
        shape, values = entry["shape"], entry["values"]
        whole = isinstance(shape, list) and all(isinstance(n, int) and n >= 0 for n in shape)
        if (
            not whole
            or not isinstance(values, TensorRef)
            or not isinstance(entry["mask"], TensorRef)
        ):
            raise RefusedError(f"{name}: a broken packed tensor")
        total += math.prod(shape) * dtype_of(values.dtype).itemsize
    if total > MAX_UNPACKED_BYTES:
        raise RefusedError(f"it unpacks to {total} bytes, more than {MAX_UNPACKED_BYTES}")
