"""What operators return on the meta device, remembered by what they were given.

Many meta kernels are Python decompositions that take a millisecond (batch norm, sigmoid, layer norm),
and a network calls each with a few shapes only. A result depends on the operator, its scalars, and the
shapes, strides and types of its tensors, on nothing else; so the second call need not be run.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

import torch

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from torch import Tensor

_MOST = 8192  # results kept, of about 1 kB each: more than any dozen networks need
_HASHED = frozenset((str, type(None), torch.dtype, torch.layout, torch.memory_format))
_KINDS_OF_TENSOR = frozenset((torch.Tensor, torch.nn.Parameter))
_Plain = tuple[tuple[int, ...], tuple[int, ...], torch.dtype]
_REMEMBERED: dict[Hashable, tuple[_Plain, ...]] = {}


def on_meta(
    function: torch._ops.OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """``function(*args, **kwargs)`` for tensors without data: its shapes, strides and types."""
    behaviour = _behaviour(function)
    if behaviour == "run":
        return function(*args, **kwargs)
    try:
        key = (function, _key(args), _key(list(kwargs.items())), torch.get_default_dtype())
    except TypeError:  # an argument that is more than numbers, names and shapes
        return function(*args, **kwargs)
    known = _REMEMBERED.get(key)
    if known is not None:
        if behaviour == "in place":
            return args[0]
        made = tuple(_made(plain) for plain in known)
        return made[0] if len(made) == 1 else made
    result = function(*args, **kwargs)
    if behaviour == "in place":
        _remember(key, ())
    elif (plain := _plain(result)) is not None:
        _remember(key, plain)
    return result


@cache
def _behaviour(function: torch._ops.OpOverload) -> str:
    """How an operator treats memory, as its schema says.

    "new": it returns tensors of its own; "in place": it overwrites its first argument and returns it;
    "run": anything else, such as views, which share memory.
    """
    schema = function._schema
    arguments = [argument.alias_info for argument in schema.arguments]
    returns = [result.alias_info for result in schema.returns]
    if not schema.name.startswith("aten::") or torch.Tag.inplace_view in function.tags:
        return "run"
    if all(str(result.type) == "Tensor" for result in schema.returns) and schema.returns:
        if not any(arguments) and not any(returns):
            return "new"
        first = arguments[0] is not None and arguments[0].is_write
        if first and not any(arguments[1:]) and len(returns) == 1 and returns[0] is not None:
            return "in place"
    return "run"


def _key(argument: Any) -> Hashable:
    kind = type(argument)
    if kind in _KINDS_OF_TENSOR:
        if not argument.is_meta or argument.is_complex():
            raise TypeError
        return argument.shape, argument.stride(), argument.dtype
    if kind is int or kind is float or kind is bool:  # 1, 1.0 and True are equal, and differ
        return kind, argument
    if kind in _HASHED:
        return cast("Hashable", argument)
    if kind is list or kind is tuple:
        return tuple([_key(item) for item in argument])
    if kind is torch.device:
        return str(argument)
    raise TypeError


def _made(plain: _Plain) -> Tensor:
    shape, stride, dtype = plain
    return torch.empty_strided(shape, stride, dtype=dtype, device=torch.device("meta"))


def _plain(result: Any) -> tuple[_Plain, ...] | None:
    """Shape, stride and type of each tensor, if that is all there is to them."""
    tensors = [result] if isinstance(result, torch.Tensor) else list(result)
    found = []
    for tensor in tensors:
        if type(tensor) is not torch.Tensor or not tensor.is_meta or tensor.is_complex():
            return None
        plain = (tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype)
        if _made(plain).untyped_storage().nbytes() != tensor.untyped_storage().nbytes():
            return None
        found.append(plain)
    return tuple(found)


def _remember(key: Hashable, plain: tuple[_Plain, ...]) -> None:
    if len(_REMEMBERED) >= _MOST:
        _REMEMBERED.clear()
    _REMEMBERED[key] = plain
