"""torch.export archives (.pt2): their weights, read without unpickling, and how to run one.

torch 2.14 writes a zip: ``models/model.json`` (the graph), a table of weights (name, type, shape,
strides, record) and one raw record a storage. Weights of tensor subclasses, custom constants and
the sample inputs are pickles; none of them is read here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import torch

from micronet.checkpoints.source import RefusedError
from micronet.checkpoints.tensors import check_fits, copied, dtype_of
from micronet.checkpoints.torchfile import ITEM_BYTES
from micronet.checkpoints.ziprecords import Records, read_records
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from pathlib import Path

MAX_JSON_BYTES: Final = 256 * 2**20
WEIGHTS: Final = "data/weights/"
CONFIG: Final = WEIGHTS + "model_weights_config.json"
GRAPH: Final = "models/model.json"
OLD_GRAPH: Final = "serialized_exported_program.json"
# torch._export.serde.schema.ScalarType
_DTYPES: Final = dict(enumerate(("uint8", "int8", "int16", "int32", "int64"), 1))
_DTYPES.update({6: "float16", 7: "float32", 8: "float64", 12: "bool", 13: "bfloat16"})
_DTYPES.update({28: "uint16", 29: "float8_e4m3fn", 30: "float8_e5m2", 31: "float8_e4m3fnuz"})
_DTYPES.update({32: "float8_e5m2fnuz", 34: "uint32", 35: "uint64"})
_STRIDED: Final = 7


def is_pt2(data: memoryview) -> bool:
    """Whether the zip in ``data`` is a torch.export archive; False too if it is broken."""
    try:
        records = read_records(data)
    except RefusedError:
        return False
    return GRAPH in records or OLD_GRAPH in records


def read(data: memoryview) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The weights by their names in the exported module. RefusedError says what is wrong."""
    records = read_records(data)
    if OLD_GRAPH in records:
        raise RefusedError("it was written by torch before 2.8; export it again")
    config = _json(records, CONFIG).get("config")
    graph = _json(records, GRAPH)
    if not isinstance(config, dict):
        raise RefusedError(f"{CONFIG} has no table 'config'")
    tensors = {}
    for name, entry in config.items():
        try:
            tensors[name] = _weight(records, name, entry)
        except (KeyError, TypeError, AttributeError) as error:
            raise RefusedError(f"{name}: its description is not torch.export's") from error
    return tensors, {"schema_version": graph.get("schema_version"), "input": _input(graph)}


def _input(graph: dict[str, Any]) -> dict[str, Any] | None:
    """Shape and type of the one input, or None if it has several or one of changing shape."""
    try:
        module = graph["graph_module"]
        specs = [
            spec["user_input"]
            for spec in module["signature"]["input_specs"]
            if "user_input" in spec
        ]
        (name,) = [spec["arg"]["as_tensor"]["name"] for spec in specs]
        meta = module["graph"]["tensor_values"][name]
        return {
            "shape": [_whole(name, size) for size in meta["sizes"]],
            "dtype": _DTYPES.get(meta["dtype"]),
        }
    except (KeyError, TypeError, ValueError):
        return None


def _weight(records: Records, name: str, entry: dict[str, Any]) -> torch.Tensor:
    if entry["use_pickle"]:
        raise RefusedError(f"{name} is stored as a pickle (a tensor subclass), which is not read")
    meta = entry["tensor_meta"]
    dtype = _DTYPES.get(meta["dtype"])
    if dtype is None or meta["layout"] != _STRIDED:
        raise RefusedError(f"{name}: type {meta['dtype']}, layout {meta['layout']} is not read")
    shape, strides = (tuple(_whole(name, s) for s in meta[key]) for key in ("sizes", "strides"))
    offset = _whole(name, meta["storage_offset"])
    start, size = records.place(WEIGHTS + entry["path_name"])
    check_fits(name, shape, strides, offset, size // ITEM_BYTES[dtype])
    numbers = copied(records.data, start, size - size % ITEM_BYTES[dtype]).view(dtype_of(dtype))
    return numbers.as_strided(shape, strides, offset)


def _whole(name: str, field: dict[str, Any]) -> int:
    value = field["as_int"]
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise RefusedError(f"{name}: {value!r} in its shape")
    return value


def _json(records: Records, name: str) -> dict[str, Any]:
    _, size = records.place(name)
    if size > MAX_JSON_BYTES:
        raise RefusedError(f"{name} has {size} bytes, more than {MAX_JSON_BYTES}")
    value = json.loads(records.read(name))
    if not isinstance(value, dict):
        raise RefusedError(f"{name} is not a table")
    return value


def load_program(path: Path, *, trust: bool) -> torch.nn.Module:
    """The exported program as a module that runs. Executes what the archive says, so ask first.

    MicronetError unless ``trust``: ``torch.export.load`` unpickles custom constants, tensor
    subclasses and sample inputs, evaluates shape expressions with sympy, and runs the archive's
    ``guards_code`` as Python. The weights alone are read without it.
    """
    if not trust:
        raise MicronetError(
            f"{path}: to run a torch.export archive, torch executes parts of it: pickled constants "
            "and sample inputs, shape expressions, guard code.",
            "If you trust its author pass --trust; or load its weights alone: --model ARCHITECTURE",
        )
    try:
        module = torch.export.load(path).module()
    except (RuntimeError, ValueError, KeyError, AssertionError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MicronetError(f"{path}: torch.export.load fails: {reason[:200]}") from error
    return module
