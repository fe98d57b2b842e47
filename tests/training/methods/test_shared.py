"""Ramps, turns, and edges exchanged for others."""

from __future__ import annotations

import torch

from micronet.training.method import Moment
from micronet.training.methods.shared import (
    begin_random,
    between_epochs,
    exchange,
    grown,
    is_turn,
    momentum_of,
    ramp_counts,
    staying,
    still,
)
from tests.training.methods.small import lone_run, only, set_momentum


def test_a_linear_ramp_goes_down_in_equal_steps() -> None:
    gates = lone_run([torch.ones(2, 4)], budget=2).gates
    counts = [ramp_counts(gates, step, first=0, last=6, power=1) for step in range(8)]
    # 2 + (8 - 2) · (6 - step) / 6
    assert counts == [[8], [7], [6], [5], [4], [3], [2], [2]]


def test_a_ramp_rounds_up_and_counts_legal_edges_only() -> None:
    legal = torch.tensor([[True, True, True, False], [True, True, False, True]])
    gates = lone_run([torch.ones(2, 4)], budget=2, legal=[legal]).gates
    counts = [ramp_counts(gates, step, first=1, last=4, power=1) for step in range(6)]
    # 6 legal: 2 + 4 · 3/3, 2 + ⌈4 · 2/3⌉ = 2 + ⌈2.67⌉, 2 + ⌈4 · 1/3⌉ = 2 + ⌈1.33⌉, 2
    assert counts == [[6], [6], [5], [4], [2], [2]]


def test_a_ramp_without_length_is_a_step() -> None:
    gates = lone_run([torch.ones(2, 4)], budget=2).gates
    assert [ramp_counts(gates, step, first=3, last=3, power=3) for step in (2, 3)] == [[8], [2]]
    assert ramp_counts(gates, 0, first=0, last=0, power=1) == [2]


def test_the_turn_is_one_step_of_the_run() -> None:
    turns = [step for step in range(10) if is_turn(Moment(step, 10, 2), 0.5)]
    assert turns == [5]
    assert [step for step in range(10) if is_turn(Moment(step, 10, 2), 1.0)] == [9]


def test_between_epochs_is_after_each_but_the_last() -> None:
    between = [step for step in range(12) if between_epochs(Moment(step, 12, 4))]
    assert between == [3, 7]


def test_a_random_graph_holds_nothing_but_its_edges() -> None:
    run = lone_run([torch.ones(6, 6)], budget=10)
    begin_random(run)
    assert int(only(run).gate.kept.sum()) == 10
    assert torch.equal(only(run).weight, only(run).gate.kept.float())


def test_the_smallest_edges_leave() -> None:
    """Among those that are kept: -9 is none of them."""
    member = only(lone_run([torch.tensor([[3.0, -1.0, 2.0, -9.0]])], budget=3))
    member.gate.kept.copy_(torch.tensor([[True, True, True, False]]))
    assert staying(member, 1).tolist() == [[True, False, True, False]]


def test_what_grows_is_legal_and_new() -> None:
    legal = torch.tensor([[True, True, True, False]])
    member = only(lone_run([torch.zeros(1, 4)], budget=1, legal=[legal]))
    stay = torch.tensor([[True, False, False, False]])
    scores = torch.tensor([[9.0, -2.0, 1.0, 9.0]])
    assert grown(member, scores, 1, stay).tolist() == [[False, True, False, False]]
    assert grown(member, scores, 2, stay).tolist() == [[False, True, True, False]]


def test_only_an_edge_that_was_there_keeps_its_weight_and_momentum() -> None:
    run = lone_run([torch.tensor([[1.0, 2.0, 3.0, 4.0]])], budget=2)
    member = only(run)
    member.gate.kept.copy_(torch.tensor([[True, True, False, False]]))
    set_momentum(run, member, torch.tensor([[5.0, 6.0, 7.0, 8.0]]))

    before = exchange(member, torch.tensor([[False, True, True, False]]))
    still(run.optimizer, member, before)

    assert member.gate.kept.tolist() == [[False, True, True, False]]
    assert member.weight.tolist() == [[0.0, 2.0, 0.0, 0.0]]
    momentum = momentum_of(run.optimizer, member)
    assert momentum is not None
    assert momentum.tolist() == [[0.0, 6.0, 0.0, 0.0]]


def test_a_weight_may_have_no_momentum_yet() -> None:
    run = lone_run([torch.ones(1, 2)], budget=1)
    still(run.optimizer, only(run), torch.tensor([[True, False]]))
    assert momentum_of(run.optimizer, only(run)) is None
