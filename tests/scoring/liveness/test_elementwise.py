"""Elementwise operators keep a zero exactly where they do, and pass on what matters."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from micronet.scoring.ir import Value
from micronet.scoring.liveness.elementwise import ask
from micronet.scoring.trace import meta_input, trace
from tests.scoring.liveness.empirical import Function, Masked, agree, never_drops, predicted

C = torch.tensor([2.0, 0.0, -1.0, 0.5])  # one zero among constants
ROW = torch.tensor([[1.0], [0.0], [3.0]])

EXACT: dict[str, Function] = {
    "relu": F.relu,
    "leaky relu": F.leaky_relu,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "swish": F.silu,
    "hard swish": F.hardswish,
    "elu": F.elu,
    "absolute": torch.abs,
    "square": lambda x: x**2,
    "sigmoid, a half at zero": torch.sigmoid,
    "exponential, one at zero": torch.exp,
    "cosine": torch.cos,
    "softplus": F.softplus,
    "plus a constant": lambda x: x + C,
    "times a constant": lambda x: x * C,
    "minus itself scaled": lambda x: x - x * C,
    "broadcast": lambda x: x * ROW + C,
    "times its own neighbour": lambda x: x * x.roll(1, 1),
    "clamp about zero": lambda x: x.clamp(-1, 1),
    "clamp that lifts zero": lambda x: x.clamp(min=0.5),
    "scaled sum": lambda x: torch.add(x, x.roll(1, 1), alpha=2),
    "gated": lambda x: torch.sigmoid(x) * x.roll(1, 1),
    "divided by a constant": lambda x: x / 3,
    "addcmul": lambda x: torch.addcmul(x, x.roll(1, 1), x.roll(2, 1)),
    "interpolated": lambda x: torch.lerp(x, x.roll(1, 1), 0.25),
}


@pytest.mark.parametrize("function", EXACT.values(), ids=EXACT)
def test_zeros_and_dependence_are_those_of_the_real_function(function: Function) -> None:
    agree(function, (3, 4))


CAREFUL: dict[str, Function] = {
    "divided, 0 / 0 is not 0": lambda x: x / (x.roll(1, 1).exp()),
    "largest of two": lambda x: torch.maximum(x, x.roll(1, 1)),
    "own sign": lambda x: x * (x > 0),
    "where": lambda x: torch.where(x > 0, x, x.roll(1, 1)),
    "masked fill": lambda x: x.masked_fill(C > 0, 0.0),
    "masked fill, not with zero": lambda x: x.masked_fill(C > 0, -1.0),
    "hard shrink": F.hardshrink,
    "threshold": lambda x: F.threshold(x, 0.1, 3.0),
    "product of four": lambda x: torch.einsum("ij,ij,ij->ij", x, x.roll(1, 1), x.roll(2, 1)),
}


@pytest.mark.parametrize("function", CAREFUL.values(), ids=CAREFUL)
def test_what_is_alive_is_never_called_dead(function: Function) -> None:
    never_drops(function, (3, 4))


def questions(function: Function) -> list[tuple[object, object]]:
    operations = trace(
        Masked(function, torch.ones(3, 4), torch.ones(3, 4)), [meta_input((3, 4))]
    ).operations[1:-1]
    return [tuple(ask(op)) for op in operations]  # type: ignore[misc]


def test_the_answers_of_a_product_and_of_a_sum() -> None:
    """A product needs both, and each matters where the other is not zero; a sum needs either."""
    both, left, right, none = frozenset([0, 1]), frozenset([0]), frozenset([1]), frozenset[int]()
    y = torch.ones(3, 4)
    assert questions(lambda x: x * y) == [((both,), ((right,), (left,)))]
    assert questions(lambda x: x + y) == [((left, right), ((none,), (none,)))]
    assert questions(torch.sigmoid) == [((none,), ((none,),))]


def test_a_function_that_ignores_its_operand_does_not_reach_it() -> None:
    """x⁰ is one whatever x is."""
    found = predicted(lambda x: x**0, torch.ones(3, 4, dtype=torch.bool), torch.ones(3, 4))
    assert found.nonzero == [True] * 12
    assert found.reached == [False] * 12


def test_scalar_arguments_are_part_of_the_question() -> None:
    """The answers are remembered: clamp(0, 1) keeps a zero, clamp(1, 2) does not."""
    zeros = torch.zeros(3, 4, dtype=torch.bool)
    assert not any(predicted(lambda x: x.clamp(0, 1), zeros, torch.ones(3, 4)).nonzero)
    assert all(predicted(lambda x: x.clamp(1, 2), zeros, torch.ones(3, 4)).nonzero)
    assert not any(predicted(lambda x: x.clamp(0, 2), zeros, torch.ones(3, 4)).nonzero)


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64], ids=str
)
def test_operands_of_other_types_are_asked_too(dtype: torch.dtype) -> None:
    constant = torch.tensor([1, 0, 2, 0]).to(dtype)
    found = predicted(lambda x: x * constant, torch.ones(3, 4, dtype=torch.bool), torch.ones(3, 4))
    assert found == ([True, False, True, False] * 3, [True, False, True, False] * 3)


def test_a_value_prints_as_a_place_in_the_question_and_not_as_itself() -> None:
    """Else nothing would ever be remembered."""
    operation = trace(Masked(F.relu, torch.ones(2), torch.ones(2)), [meta_input((2,))]).operations[
        1
    ]
    assert isinstance(operation.args[0], Value)
    assert ask(operation) is ask(operation)
