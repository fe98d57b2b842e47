"""A split of CIFAR's Python version: a pickle of Python 2, read as data, never unpickled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.reductions import Inert
from micronet.checkpoints.source import Cursor, RefusedError
from micronet.checkpoints.unpickle import load_pickle
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from pathlib import Path

_ARRAYS: Final = frozenset(
    {"numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"}
)


def decode_pickle(
    path: Path, content: bytes, key: str, row_bytes: int, split: str = "test"
) -> tuple[list[int], bytes]:
    """The labels under ``key`` and the rows under "data"; MicronetError if it is anything else."""
    try:
        value = load_pickle(Cursor(memoryview(content)))
        labels = _labels(_entry(value, key), key)
        return labels, _rows(_entry(value, "data"), len(labels), row_bytes)
    except RefusedError as error:
        raise MicronetError(
            f"{path}: is not CIFAR's {split} split: {error}.",
            "Get the set again: https://www.cs.toronto.edu/~kriz/cifar.html",
        ) from error


def _entry(value: Any, key: str) -> Any:
    entries = value if isinstance(value, dict) else {}
    for spelled in (key, key.encode()):  # Python 3 writes bytes again if it read bytes
        if spelled in entries:
            return entries[spelled]
    raise RefusedError(f"it has no '{key}'")


def _labels(value: Any, key: str) -> list[int]:
    if not isinstance(value, list) or not all(type(label) is int for label in value):
        raise RefusedError(f"its '{key}' is not a list of whole numbers")
    return value


def _rows(value: Any, count: int, row_bytes: int) -> bytes:
    """The bytes of a numpy array of ``count`` rows, in row order whichever way it is stored.

    numpy pickles an array as a call of ``_reconstruct`` and the state (version, shape, type,
    whether columns come first, bytes).
    """
    if not isinstance(value, Inert) or value.name not in _ARRAYS:
        raise RefusedError("its 'data' is not a numpy array")
    if not isinstance(value.state, tuple) or len(value.state) != 5:
        raise RefusedError("its 'data' has no content")
    _, shape, kind, by_columns, stored = value.state
    if shape != (count, row_bytes) or not isinstance(kind, Inert) or kind.arguments[:1] != ("u1",):
        raise RefusedError(f"its 'data' is not {count:,} rows of {row_bytes:,} bytes, one a label")
    content = stored.encode("latin-1", "replace") if isinstance(stored, str) else stored
    if not isinstance(content, bytes) or len(content) != count * row_bytes:
        raise RefusedError(f"its 'data' does not hold the {count * row_bytes:,} bytes it announces")
    return b"".join(content[row::count] for row in range(count)) if by_columns else content
