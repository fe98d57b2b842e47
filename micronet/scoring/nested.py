"""Tensors inside the nested arguments and results of an operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from micronet.scoring.ir import Value

if TYPE_CHECKING:
    from collections.abc import Callable


def swap(argument: Any, change: Callable[[Tensor], Any]) -> Any:
    """``argument`` with ``change`` applied to every tensor in it."""
    if isinstance(argument, Tensor):
        return change(argument)
    if isinstance(argument, (list, tuple)):
        return type(argument)([swap(item, change) for item in argument])
    return argument


def swap_values(argument: Any, change: Callable[[Value], Any]) -> Any:
    """``argument`` with ``change`` applied to every value in it."""
    if isinstance(argument, Value):
        return change(argument)
    if isinstance(argument, (list, tuple)):
        return type(argument)(swap_values(item, change) for item in argument)
    return argument


def tensors_in(result: Any) -> list[Tensor]:
    """Every tensor of ``result``, in order."""
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, (list, tuple)):
        return [tensor for item in result for tensor in tensors_in(item)]
    return []
