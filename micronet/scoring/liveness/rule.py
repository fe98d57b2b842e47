"""What a rule of liveness is: how one operator passes patterns on, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from micronet.scoring import patterns
from micronet.scoring.ir import Operation, Value

Patterns = Callable[[Value], Tensor]


class Rule(NamedTuple):
    """``forward(op, nonzero)`` gives a pattern an output; ``backward(op, nonzero, reached)`` one an input.

    ``nonzero`` maps a Value to its pattern; ``reached`` holds a pattern for every output.
    """

    forward: Callable[[Operation, Patterns], list[Tensor]]
    backward: Callable[[Operation, Patterns, Sequence[Tensor]], list[Tensor]]


def doubt_forward(op: Operation, nonzero: Patterns) -> list[Tensor]:
    """Nothing is known: every output can be nonzero."""
    del nonzero
    return [patterns.everything(value.shape) for value in op.outputs]


def doubt_backward(op: Operation, nonzero: Patterns, reached: Sequence[Tensor]) -> list[Tensor]:
    """Nothing is known: every input reaches the output if any output does."""
    del nonzero
    alive = any(not patterns.is_nothing(pattern) for pattern in reached)
    make = patterns.everything if alive else patterns.nothing
    return [make(value.shape) for value in op.inputs]


DOUBT = Rule(doubt_forward, doubt_backward)


def named_arguments(op: Operation) -> dict[str, Any]:
    """The arguments of the call by the names of the operator's schema, defaults included."""
    schema = getattr(op.function, "_schema", None)
    if schema is None:
        return dict(op.kwargs)
    found: dict[str, Any] = {}
    for position, argument in enumerate(schema.arguments):
        if position < len(op.args) and not argument.kwarg_only:
            found[argument.name] = op.args[position]
        elif argument.name in op.kwargs:
            found[argument.name] = op.kwargs[argument.name]
        elif argument.has_default_value():
            found[argument.name] = argument.default_value
    return found


def call_with(op: Operation, tensors: Sequence[Tensor]) -> Any:  # what the operator returns
    """Run the operator on ``tensors``, one for each of its inputs, in order."""
    remaining = iter(tensors)

    def fill(argument: Any) -> Any:
        if isinstance(argument, Value):
            return next(remaining)
        if isinstance(argument, (list, tuple)) and not hasattr(argument, "_fields"):
            return type(argument)(fill(item) for item in argument)
        return argument

    args = [fill(argument) for argument in op.args]
    kwargs = {key: fill(argument) for key, argument in op.kwargs.items()}
    if isinstance(kwargs.get("device"), torch.device):
        kwargs["device"] = torch.device("cpu")
    kwargs.pop("dtype", None)
    return op.function(*args, **kwargs)


def dims_of(argument: Any, ndim: int) -> tuple[int, ...]:  # int, list or None
    """Dimensions as a tuple of non-negative numbers; None and the empty list mean all."""
    if argument is None or (isinstance(argument, (list, tuple)) and not argument):
        return tuple(range(ndim))
    given = argument if isinstance(argument, (list, tuple)) else [argument]
    return tuple(dim % ndim if ndim else 0 for dim in given)


def spread(pattern: Tensor, dims: Sequence[int]) -> Tensor:
    """Any over ``dims``, which keep extent 1."""
    for dim in dims:
        if pattern.shape[dim] > 1:
            pattern = patterns.any_over(pattern, (dim,), keepdim=True)
    return pattern
