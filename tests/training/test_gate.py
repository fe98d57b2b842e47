"""A gate decides which entries of a weight are used, and which ones learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from micronet.training.gate import Gate

if TYPE_CHECKING:
    from torch import Tensor

WEIGHT = torch.tensor([[1.0, -2.0, 3.0], [-4.0, 5.0, -6.0]])
KEPT = torch.tensor([[True, False, True], [False, True, False]])
LEGAL = torch.tensor([[True, True, True], [False, True, False]])
PULL = torch.tensor([[0.5, 1.0, 2.0], [4.0, 8.0, 16.0]])  # ∂L/∂(what is used)


def gate(legal: Tensor | None = None) -> Gate:
    made = Gate(WEIGHT, legal)
    made.kept.copy_(KEPT)
    return made


def gradient(of: Gate) -> list[list[float]]:
    """What reaches the weight when ``PULL`` reaches what is used of it."""
    weight = WEIGHT.clone().requires_grad_()
    (of(weight) * PULL).sum().backward()
    assert weight.grad is not None
    return weight.grad.tolist()


def test_what_is_kept_is_used_as_it_is_and_the_rest_is_zero() -> None:
    assert gate()(WEIGHT).tolist() == [[1.0, 0.0, 3.0], [0.0, 5.0, 0.0]]


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_what_is_not_kept_is_zero_whatever_it_is(value: float) -> None:
    assert gate()(WEIGHT.where(KEPT, value)).tolist() == [[1.0, 0.0, 3.0], [0.0, 5.0, 0.0]]


def test_at_first_every_legal_entry_is_kept() -> None:
    assert Gate(WEIGHT).kept.all()
    assert torch.equal(Gate(WEIGHT, LEGAL).kept, LEGAL)


def test_every_entry_learns_as_if_all_were_used() -> None:
    assert gradient(gate()) == PULL.tolist()


def test_illegal_entries_do_not_learn() -> None:
    assert gradient(gate(LEGAL)) == [[0.5, 1.0, 2.0], [0.0, 8.0, 0.0]]


def test_or_only_those_learn_that_are_kept() -> None:
    made = gate()
    made.all_learn = False
    assert gradient(made) == [[0.5, 0.0, 2.0], [0.0, 8.0, 0.0]]


def test_a_gradient_without_bounds_stays_away_from_illegal_entries() -> None:
    weight = WEIGHT.clone().requires_grad_()
    gate(LEGAL)(weight).backward(torch.full((2, 3), float("inf")))
    assert weight.grad is not None
    assert torch.equal(weight.grad, torch.zeros(2, 3).masked_fill(LEGAL, float("inf")))


def test_a_soft_gate_shrinks_and_stretches_what_it_keeps_and_lets_gradients_through() -> None:
    """2 · (w - ½ · sign(w))."""
    made = gate()
    made.shrink, made.gain = 0.5, 2.0
    assert made(WEIGHT).tolist() == [[1.0, 0.0, 5.0], [0.0, 9.0, 0.0]]
    assert gradient(made) == PULL.tolist()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_types_stay_what_they_are(dtype: torch.dtype) -> None:
    weight = WEIGHT.to(dtype).requires_grad_()
    used = gate()(weight)
    used.sum().backward()
    assert weight.grad is not None
    assert used.dtype == weight.grad.dtype == dtype


def test_edges_are_chosen_before_each_use() -> None:
    made = gate()

    def other_ones() -> None:
        made.kept.logical_not_()

    made.choose = other_ones
    assert made(WEIGHT).ne(0).tolist() == (~KEPT).tolist()
    assert made(WEIGHT).ne(0).tolist() == KEPT.tolist()


def test_a_gate_says_when_a_gradient_arrives() -> None:
    """Once each backward pass; not for a pass that computes none."""
    arrived: list[Tensor] = []
    made = gate()
    made.moves = arrived.append
    with torch.no_grad():
        made(WEIGHT.clone().requires_grad_())
    made(WEIGHT)
    assert arrived == []
    gradient(made)
    assert [each.tolist() for each in arrived] == [PULL.tolist()]


def test_a_layer_with_a_gate_can_be_given_weights() -> None:
    layer: Any = nn.Linear(3, 2)
    parametrize.register_parametrization(layer, "weight", gate())
    layer.weight = WEIGHT
    assert layer.weight.tolist() == [[1.0, 0.0, 3.0], [0.0, 5.0, 0.0]]
    assert torch.equal(layer.parametrizations.weight.original, WEIGHT)
