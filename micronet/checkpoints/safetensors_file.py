"""Safetensors files, read by the format's own library after a look at the header's size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.source import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

    import torch

SHORTEST_BYTES: Final = 10  # the header's length, and "{}"
MAX_HEADER_BYTES: Final = 100 * 2**20  # the format's own limit


def is_safetensors(data: memoryview) -> bool:
    """Whether ``data`` begins with a header length that fits the file, and a JSON object."""
    if len(data) < SHORTEST_BYTES or bytes(data[8:9]) != b"{":
        return False
    return int.from_bytes(data[:8], "little") <= MAX_HEADER_BYTES


def read(path: Path, data: memoryview) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and metadata. RefusedError says what is wrong with the file."""
    from safetensors import SafetensorError, safe_open

    header = int.from_bytes(data[:8], "little")
    if header > len(data) - 8:
        raise RefusedError(f"its header needs {header} bytes, but {len(data) - 8} are there")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is not a dictionary
            return tensors, dict(file.metadata() or {})
    except (SafetensorError, KeyError, AttributeError) as error:
        raise RefusedError(str(error) or "an unknown type of numbers") from error
