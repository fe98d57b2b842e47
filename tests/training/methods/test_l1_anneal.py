"""L1 + anneal: the penalty's gradient, and edges that leave for good."""

from __future__ import annotations

from dataclasses import replace

import torch

from micronet.training.method import Moment, Run
from micronet.training.methods.l1_anneal import L1Anneal
from micronet.training.methods.shared import momentum_of
from tests.training.methods.small import lone_run, only, set_momentum

WEIGHT = torch.tensor([[4.0, -3.0, 2.0, -1.0], [8.0, -7.0, 6.0, -5.0]])


def annealing(stop: float, steps: int, weight: torch.Tensor = WEIGHT) -> tuple[L1Anneal, Run]:
    run = lone_run([weight], budget=2, now=Moment(0, steps, 2))
    return L1Anneal(strength=0.25, stop=stop), run


def after(method: L1Anneal, run: Run, step: int) -> int:
    """Edges that are left when ``step`` is done."""
    run.now = replace(run.now, step=step)
    method.after_step(run)
    return int(only(run).gate.kept.sum())


def test_the_penalty_adds_its_sign_to_the_gradient_of_every_edge_that_is_left() -> None:
    method, run = annealing(1.0, 6)
    method.begin(run)
    assert after(method, run, 1) == 6  # 8 - 2: those of magnitude 1 and 2 are gone
    only(run).weight.grad = torch.full((2, 4), 10.0)
    method.after_backward(run)
    # d/dw of 0.25 · Σ|w|: 0.25 · sign(w), and nothing where an edge is gone
    expected = [[10.25, 9.75, 10.0, 10.0], [10.25, 9.75, 10.25, 9.75]]
    gradient = only(run).weight.grad
    assert gradient is not None
    assert gradient.tolist() == expected


def test_edges_leave_one_by_one_the_smallest_first() -> None:
    method, run = annealing(1.0, 6)
    method.begin(run)
    assert int(only(run).gate.kept.sum()) == 8
    # 2 + 6 · (6 - step) / 6 edges in the forward pass of each step; ``after`` step k comes k + 1
    assert [after(method, run, step) for step in range(6)] == [7, 6, 5, 4, 3, 2]
    assert only(run).gate.kept.tolist() == [[False] * 4, [True, True, False, False]]
    assert only(run).weight.tolist() == [[0.0] * 4, [8.0, -7.0, 0.0, 0.0]]


def test_after_the_stop_the_budget_is_kept() -> None:
    method, run = annealing(0.5, 12)
    method.begin(run)
    assert [after(method, run, step) for step in range(5, 12)] == [2] * 7


def test_an_edge_that_left_does_not_come_back() -> None:
    method, run = annealing(1.0, 6)
    method.begin(run)
    set_momentum(run, only(run), torch.ones(2, 4))
    assert after(method, run, 0) == 7
    momentum = momentum_of(run.optimizer, only(run))
    assert momentum is not None
    assert momentum.tolist() == [[1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]]
    with torch.no_grad():
        only(run).weight[0, 3] = 100.0  # no optimizer would do that
    assert after(method, run, 1) == 6
    assert not bool(only(run).gate.kept[0, 3])


def test_edges_of_weight_zero_are_counted_like_all_others() -> None:
    method, run = annealing(1.0, 6, torch.zeros(2, 4))
    method.begin(run)
    kept = [only(run).gate.kept.clone()]
    for step in range(6):
        assert after(method, run, step) == 7 - step
        kept.append(only(run).gate.kept.clone())
        assert not bool((kept[-1] & ~kept[-2]).any())


def test_the_graph_begins_complete_but_for_illegal_edges_which_hold_nothing() -> None:
    legal = torch.tensor([[True, True, True, False], [True, True, True, True]])
    run = lone_run([WEIGHT], budget=2, legal=[legal])
    L1Anneal().begin(run)
    assert torch.equal(only(run).gate.kept, legal)
    assert torch.equal(only(run).weight, WEIGHT * legal)
