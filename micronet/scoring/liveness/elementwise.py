"""Elementwise operators: no rule per operator, each is asked.

The operator is run on probes: where its operands are zero and where they are anything. If ``f(0) = 0``
a zero stays; if ``f(0, y) = 0`` whatever y is, the zero wins (multiplication); if the result does not
change with an operand, that operand does not reach the output there.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from micronet.scoring import patterns
from micronet.scoring.ir import Operation, Value
from micronet.scoring.liveness.rule import Patterns, Rule, call_with, doubt_backward, doubt_forward

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_MOST_OPERANDS = 3
_FLOATS = (0.0, 1e-2, -1e-2, 0.7, -0.7, 3.0, -3.0, 50.0, -50.0, 1e4, -1e4)
_INTEGERS = (0, 1, 2, -1, -7, 1000)


class Answers(NamedTuple):
    """What an operator does with zeros; operands are numbered, sets name those that are not zero."""

    nonzero: tuple[frozenset[int], ...]
    """The result can be nonzero where all operands of one of these sets can be."""
    influence: tuple[tuple[frozenset[int], ...], ...]
    """For each operand: it matters where all of one of these sets of others can be nonzero."""


_ANSWERS: dict[Any, Answers] = {}


def ask(op: Operation) -> Answers:
    """Probe the operator with its own scalar arguments (remembered)."""
    key = (op.function, _scalars(op.args), _scalars(tuple(sorted(op.kwargs.items()))))
    dtypes = tuple(value.dtype for value in op.inputs)
    if (key, dtypes) not in _ANSWERS:
        _ANSWERS[key, dtypes] = _probe(op)
    return _ANSWERS[key, dtypes]


def _scalars(arguments: Any) -> str:
    def show(argument: Any) -> str:
        if isinstance(argument, Value):
            return "*"
        if isinstance(argument, (list, tuple)):
            return "(" + ",".join(map(show, argument)) + ")"
        return repr(argument)

    return show(arguments)


def _probe(op: Operation) -> Answers:
    operands = range(len(op.inputs))
    probes = [_probes_for(value.dtype) for value in op.inputs]
    sizes = [len(probe) for probe in probes]
    grids = [  # as meshgrid, which wants one type
        probe.reshape([-1 if dim == i else 1 for dim in operands]).expand(sizes).clone()
        for i, probe in enumerate(probes)
    ]
    result = call_with(op, grids)
    nonzero = _minimal(
        c for c in _subsets(operands) if bool((_zeroed(result, operands, c) != 0).any())
    )
    influence = []
    for i in operands:
        others = [j for j in operands if j != i]
        sets = []
        for allowed in _subsets(others):
            part = _zeroed(result, others, allowed)
            sets += [allowed] if bool((part != part.narrow(i, 0, 1)).any()) else []
        influence.append(_minimal(sets))
    return Answers(nonzero, tuple(influence))


def _probes_for(dtype: torch.dtype) -> Tensor:
    if dtype == torch.bool:
        return torch.tensor([False, True])
    if dtype.is_floating_point or dtype.is_complex:
        return torch.tensor(_FLOATS)
    return torch.tensor(_INTEGERS, dtype=dtype)


def _zeroed(result: Tensor, operands: Sequence[int], allowed: frozenset[int]) -> Tensor:
    """The part of the grid in which every operand outside ``allowed`` is zero (probe 0 is zero)."""
    for i in operands:
        if i not in allowed:
            result = result.narrow(i, 0, 1)
    return result


def _subsets(operands: Sequence[int]) -> list[frozenset[int]]:
    sizes = range(len(operands) + 1)
    return [frozenset(c) for size in sizes for c in combinations(operands, size)]


def _minimal(sets: Any) -> tuple[frozenset[int], ...]:  # an iterable of sets
    kept: list[frozenset[int]] = []
    for candidate in sets:  # smallest first
        if not any(have <= candidate for have in kept):
            kept.append(candidate)
    return tuple(kept)


def _combined(
    op: Operation, nonzero: Patterns, sets: Sequence[frozenset[int]], shape: Sequence[int]
) -> Tensor:
    result = patterns.nothing(shape)
    for chosen in sets:
        term = patterns.everything(shape)
        for i in chosen:
            term = term & patterns.pad_dims(nonzero(op.inputs[i]), len(shape))
        result = result | term
    return result


def forward(op: Operation, nonzero: Patterns) -> list[Tensor]:
    """Union over the ways in which the result can be nonzero."""
    if len(op.inputs) > _MOST_OPERANDS:
        return doubt_forward(op, nonzero)
    return [_combined(op, nonzero, ask(op).nonzero, op.outputs[0].shape)]


def backward(op: Operation, nonzero: Patterns, reached: Sequence[Tensor]) -> list[Tensor]:
    """An operand is reached where the result is and the operand matters."""
    if len(op.inputs) > _MOST_OPERANDS:
        return doubt_backward(op, nonzero, reached)
    shape = op.outputs[0].shape
    found = []
    for value, sets in zip(op.inputs, ask(op).influence, strict=True):
        pattern = reached[0] & _combined(op, nonzero, sets, shape)
        found.append(patterns.reduce_to(pattern, value.shape))
    return found


RULE = Rule(forward, backward)
