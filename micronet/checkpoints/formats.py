"""Read a checkpoint file of any accepted format, recognised by its content, never by its name."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from micronet.checkpoints import native, pt2, safetensors_file, statedict
from micronet.checkpoints.source import mapped
from micronet.checkpoints.tensors import tensors_of
from micronet.checkpoints.torchfile import TorchFile, is_legacy, read_legacy, read_zip
from micronet.errors import MicronetError

_RESAVE: Final = "Save it again with torch.save(model.state_dict(), PATH)."
_TEXT_STARTS: Final = {
    b"version https://git-lfs": ("a Git LFS pointer, not the file itself", "Run: git lfs pull"),
    b"<!doctype": ("a web page", "The download failed; get the file with a browser."),
    b"<html": ("a web page", "The download failed; get the file with a browser."),
    b"<?xml": ("an XML answer of a server", "The download failed; get the file again."),
    b"\x1f\x8b": ("a gzip archive", "Unpack it and give the file inside."),
    b"BZh": ("a bzip2 archive", "Unpack it and give the file inside."),
    b"\xfd7zXZ": ("an xz archive", "Unpack it and give the file inside."),
    b"\x89HDF": ("an HDF5 (Keras) file", _RESAVE),
    b"GGUF": ("a GGUF file", _RESAVE),
}
_TAR_MARK_AT: Final = 257


@dataclass(frozen=True)
class StateFile:
    """A checkpoint's tensors by name, and what else it says, as plain values.

    ``format`` is "micronet", "torch-zip", "torch-legacy", "safetensors" or "pt2".
    """

    tensors: dict[str, torch.Tensor]
    meta: Mapping[str, Any]
    format: str


def read_state_file(path: Path) -> StateFile:
    """The tensors in ``path``, in memory, all finite; MicronetError says why there are none.

    Nothing from the file is executed, and no more memory is taken than the file has bytes, but
    for the native format, whose packed zeros are unpacked up to ``native.MAX_UNPACKED_BYTES``.
    """
    with mapped(path) as data:
        kind, reader = _recognised(path, data)
        try:
            state = reader(path, data)
        except (ValueError, RecursionError, MemoryError) as error:
            reason = _one_line(str(error) or "it is too large")
            raise MicronetError(f"{path}: cannot be read as {kind}: {reason}.", None) from error
    _check_finite(path, state.tensors)
    return state


Reader = Callable[[Path, memoryview], StateFile]


def _recognised(path: Path, data: memoryview) -> tuple[str, Reader]:
    start = bytes(data[:512])
    if start[:4] == b"PK\3\4":
        return ("a torch.export archive", _pt2) if pt2.is_pt2(data) else ("a torch file", _zip)
    if is_legacy(data):
        return "a legacy torch file", _legacy
    if safetensors_file.is_safetensors(data):
        return "a safetensors file", _safetensors
    for mark, (what, next_step) in _TEXT_STARTS.items():
        if start.lstrip().lower().startswith(mark.lower()):
            raise MicronetError(f"{path}: is {what}.", next_step)
    raise MicronetError(f"{path}: {_guess(start)}.", _RESAVE)


def _guess(start: bytes) -> str:
    if start[_TAR_MARK_AT : _TAR_MARK_AT + 5] == b"ustar":
        return "is a tar archive (torch before 0.1.10 wrote such checkpoints); it is not read"
    if start[:4] in (b"\4\0\0\0", b"\3\0\0\0") and b"V 1" in start[:32]:
        return "is a Lua Torch7 file; those are not read (DNW's .t7 files are Python ones)"
    if start[:4] == b"\3\0\0\0":
        return "looks like a Lua Torch7 table; those are not read"
    if start[:1] == b"\x80" and start[1:2] <= b"\5":
        return "is a bare Python pickle, not a torch file"
    return "is of no kind that micronet reads (torch.save, safetensors, torch.export)"


def _zip(_: Path, data: memoryview) -> StateFile:
    file = read_zip(data)
    if native.is_native(file.value):
        tensors, meta = native.unpack(file)
        return StateFile(tensors, meta, "micronet")
    return _from_torch(file, "torch-zip")


def _legacy(_: Path, data: memoryview) -> StateFile:
    return _from_torch(read_legacy(data), "torch-legacy")


def _from_torch(file: TorchFile, name: str) -> StateFile:
    refs, meta = statedict.find(file.value)
    return StateFile(tensors_of(file, refs), meta, name)


def _safetensors(path: Path, data: memoryview) -> StateFile:
    tensors, meta = safetensors_file.read(path, data)
    return StateFile(statedict.unwrapped(tensors), meta, "safetensors")


def _pt2(_: Path, data: memoryview) -> StateFile:
    tensors, meta = pt2.read(data)
    return StateFile(tensors, meta, "pt2")


def _check_finite(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor.float()).all()):
            wrong = int((~torch.isfinite(tensor.float())).sum())
            raise MicronetError(
                f"{path}: {name} holds {wrong} of {tensor.numel()} numbers NaN or infinite.",
                "Such a network cannot be judged; use a checkpoint from before it diverged.",
            )


def _one_line(text: str) -> str:
    """``text`` without what could confuse a terminal (it may quote the file), and not endless."""
    printable = "".join(sign if sign.isprintable() else "?" for sign in itertools.islice(text, 300))
    return printable.rstrip(".")
