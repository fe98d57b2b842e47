"""What the few names that a torch pickle needs mean, as our own functions on plain values.

The left column of the table is text from the file; the right column is code of this module. No
name is ever imported, so a name that is not in the table can only become an ``Inert`` record.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.source import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Name:
    """A class or function as the file names it: two texts, never the thing itself."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Inert:
    """An object we have no use for: what it was made from, as plain values. Nothing callable."""

    name: str
    arguments: tuple[Any, ...] = field(default=(), repr=False)
    state: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class StorageRef:
    """A named run of numbers in the file; ``view`` is (key, offset, numel) within it."""

    key: str
    dtype: str
    numel: int
    view: tuple[str, int, int] | None = None


@dataclass(frozen=True, eq=False)
class TensorRef:
    """A tensor as the file describes it, unchecked: element offset, shape and strides."""

    storage: StorageRef
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str


UNTYPED: Final = "untyped"
_STORAGES: Final = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "UntypedStorage": UNTYPED,
}
# What attacks on unpickling call. No safety rests on this list, for nothing is ever called; it is
# here so that such a file is reported, instead of read without the call.
_ATTACKS: Final = frozenset(
    {"os", "posix", "nt", "subprocess", "pty", "runpy", "importlib", "imp", "sys", "shutil"}
    | {"socket", "ctypes", "code", "operator", "_operator", "webbrowser", "pickle", "_pickle"}
    | {
        "marshal",
        "pdb",
        "bdb",
        "timeit",
        "cProfile",
        "profile",
        "pip",
        "pydoc",
        "commands",
        "io",
        "_io",
    }
    | {f"builtins.{name}" for name in ("eval", "exec", "compile", "getattr", "setattr", "open")}
    | {f"builtins.{name}" for name in ("__import__", "breakpoint", "input", "globals", "vars")}
    | {f"__builtin__.{name}" for name in ("eval", "exec", "getattr", "setattr", "open", "file")}
    | {"__builtin__.__import__", "__builtin__.apply", "__builtin__.execfile"}
    | {"torch.load", "torch.serialization.load", "torch.storage._load_from_bytes"}
    | {"torch.hub.load", "torch.hub._load_local", "torch.jit.load"}
)
_NUMPY_FORMATS: Final = {
    "b1": "?",
    "f2": "e",
    "f4": "f",
    "f8": "d",
    "i1": "b",
    "i2": "h",
    "i4": "i",
    "i8": "q",
    "u1": "B",
    "u2": "H",
    "u4": "I",
    "u8": "Q",
}


def persistent(saved: Any) -> StorageRef | Name:
    """What a persistent id stands for: a storage, or (legacy) a module's class with its source."""
    if isinstance(saved, tuple) and saved[:1] == ("module",) and len(saved) > 1:
        kind = saved[1]  # behind it come the file and the text of its source
        if isinstance(kind, Name):
            return kind
    return _storage(saved)


def _storage(saved: Any) -> StorageRef:
    """("storage", type, key, place, numel[, view])."""
    if not isinstance(saved, tuple) or len(saved) not in (5, 6) or saved[0] != "storage":
        raise RefusedError("a persistent id that is not a tensor storage")
    _, kind, key, _, numel, *rest = saved
    if isinstance(kind, Name) and kind.name.startswith(("QInt", "QUInt")):
        raise RefusedError(f"it holds quantised tensors ({kind}), only plain ones are read")
    if not isinstance(kind, Name) or kind.name not in _STORAGES:
        raise RefusedError(f"storages of the type {kind} are not read")
    if not isinstance(key, str) or not _count(numel):
        raise RefusedError("a storage without key or length")
    view = rest[0] if rest else None
    if view is not None and not (
        isinstance(view, tuple) and len(view) == 3 and _count(view[1]) and _count(view[2])
    ):
        raise RefusedError(f"storage {key}: a broken view")
    return StorageRef(key, _STORAGES[kind.name], numel, view)


def reduce(function: Any, arguments: Any) -> Any:
    """What ``function(*arguments)`` stands for: a plain value by the table, or an Inert record."""
    if not isinstance(arguments, tuple):
        raise RefusedError("a call without a tuple of arguments")
    if not isinstance(function, Name):
        return Inert("(a call of a value)", arguments)
    if function.module.split(".")[0] in _ATTACKS or str(function) in _ATTACKS:
        raise RefusedError(f"it asks to call {function}, which no checkpoint needs: it is hostile")
    meaning = _TABLE.get(str(function))
    if meaning is None:
        return Inert(str(function), arguments)
    try:
        return meaning(*arguments)
    except (TypeError, struct.error) as error:
        raise RefusedError(f"{function}: unexpected arguments") from error


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _tensor(saved: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> TensorRef:
    dtype = saved.dtype if isinstance(saved, StorageRef) else UNTYPED
    if dtype == UNTYPED:
        raise RefusedError("a tensor without typed storage")
    return _checked(saved, offset, shape, strides, dtype)


def _tensor_v3(*args: Any) -> TensorRef:
    saved, offset, shape, strides, _, _, dtype = args[:7]
    if not isinstance(saved, StorageRef) or not isinstance(dtype, Name):
        raise RefusedError("a tensor without storage or type")
    return _checked(saved, offset, shape, strides, dtype.name)


def _checked(saved: StorageRef, offset: Any, shape: Any, strides: Any, dtype: str) -> TensorRef:
    sizes = (shape, strides)
    if not _count(offset) or not all(isinstance(s, tuple) and all(map(_count, s)) for s in sizes):
        raise RefusedError("a tensor whose offset, shape or strides are not whole numbers from 0")
    if len(shape) != len(strides):
        raise RefusedError(f"a tensor of {len(shape)} dimensions with {len(strides)} strides")
    return TensorRef(saved, offset, shape, strides, dtype)


def _first(value: Any, *_: Any) -> Any:
    return value


def _of_type(function: Any, _kind: Any, arguments: Any, _state: Any) -> Any:
    return reduce(function, arguments)


def _ordered(pairs: Any = ()) -> dict[Any, Any]:
    if not isinstance(pairs, list | tuple) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str)
        for pair in pairs
    ):
        raise RefusedError("collections.OrderedDict: unexpected arguments")
    return {pair[0]: pair[1] for pair in pairs}


def _encode(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise RefusedError("_codecs.encode: expected text in latin1")
    return text.encode("latin-1")


def _numpy_scalar(kind: Any, raw: Any = b"") -> Any:
    if not isinstance(kind, Inert) or not isinstance(raw, bytes) or not kind.arguments:
        return Inert("numpy scalar", (kind, raw))
    code = kind.arguments[0]
    known = _NUMPY_FORMATS.get(code) if isinstance(code, str) else None
    if known is None or struct.calcsize(known) != len(raw):
        return Inert("numpy scalar", (kind, raw))
    state = kind.state
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else "<"
    return struct.unpack((">" if order == ">" else "<") + known, raw)[0]


def _inert(name: str) -> Callable[..., Inert]:
    return lambda *arguments: Inert(name, arguments)


def _set(items: Any = ()) -> list[Any]:
    if not isinstance(items, list | tuple):
        raise RefusedError("a set of something that is not a list")
    return list(items)


def _no_bytes() -> bytes:
    return b""  # how old protocols write them; others come through _codecs.encode


def _size(dims: Any = ()) -> tuple[Any, ...]:
    if not isinstance(dims, list | tuple):
        raise RefusedError("torch.Size: unexpected arguments")
    return tuple(dims)


_TABLE: Final[dict[str, Callable[..., Any]]] = {
    "collections.OrderedDict": _ordered,
    "_codecs.encode": _encode,
    "__builtin__.bytes": _no_bytes,
    "__builtin__.set": _set,
    "__builtin__.frozenset": _set,
    "builtins.set": _set,
    "builtins.frozenset": _set,
    "numpy.dtype": _inert("numpy.dtype"),
    "numpy.core.multiarray.scalar": _numpy_scalar,
    "numpy._core.multiarray.scalar": _numpy_scalar,
    "torch.Size": _size,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch._tensor._rebuild_from_type_v2": _of_type,
}
