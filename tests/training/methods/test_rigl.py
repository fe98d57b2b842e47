"""RigL: how many leave, who comes, and when."""

from __future__ import annotations

from dataclasses import replace

import torch

from micronet.training.method import Moment, Run
from micronet.training.methods.rigl import RigL
from micronet.training.methods.shared import momentum_of
from tests.training.methods.small import lone_run, only, set_kept, set_momentum

LEGAL = torch.tensor([[True, True, True, True], [True, True, True, False]])
KEPT = torch.tensor([[True, True, False, False], [True, True, False, False]])
WEIGHT = torch.tensor([[0.125, -0.5, 0.0, 0.0], [0.375, 0.25, 0.0, 0.0]])
METHOD = RigL(alpha=0.5, delta_t=10, stop=0.75)


def rigged(gradient: torch.Tensor, step: int = 10) -> Run:
    """Four edges of seven legal entries, after an exchange by ``gradient`` at ``step`` of 100."""
    run = lone_run([WEIGHT], budget=4, legal=[LEGAL], now=Moment(step, 100, 20))
    member = only(run)
    set_kept(member, KEPT)
    set_momentum(run, member, torch.ones(2, 4))
    METHOD.resume(run)
    METHOD.before_step(run)
    (member.used * gradient).sum().backward()
    METHOD.after_backward(run)
    run.optimizer.step()
    METHOD.after_step(run)
    return run


# Inactive and legal after the smallest (0.125) left: |1|, |5|, |-7|, |6|; |8| is illegal.
GRADIENT = torch.tensor([[1.0, 9.0, 5.0, -7.0], [9.0, 9.0, 6.0, 8.0]])


def test_the_smallest_edge_makes_room_for_the_largest_gradient() -> None:
    """0.5 / 2 · (1 + cos(10 π / 75)) · 4 edges = 0.25 · 1.9135 · 4 = 1.91: one is exchanged."""
    member = only(rigged(GRADIENT))
    assert member.gate.kept.tolist() == [[False, True, False, True], [True, True, False, False]]


def test_an_exchange_takes_the_place_of_the_step() -> None:
    """No weight moves; the new one is at zero; momentum is left to those that stayed."""
    run = rigged(GRADIENT)
    momentum = momentum_of(run.optimizer, only(run))
    assert momentum is not None
    assert only(run).weight.tolist() == [[0.0, -0.5, 0.0, 0.0], [0.375, 0.25, 0.0, 0.0]]
    assert momentum.tolist() == [[0.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]


def test_an_edge_that_leaves_and_comes_at_once_stays_as_it_was() -> None:
    gradient = GRADIENT.clone()
    gradient[0, 0] = 100.0
    run = rigged(gradient)
    momentum = momentum_of(run.optimizer, only(run))
    assert momentum is not None
    assert torch.equal(only(run).gate.kept, KEPT)
    assert torch.equal(only(run).weight, WEIGHT)
    assert torch.equal(momentum, KEPT.float())


def test_fewer_are_exchanged_as_time_goes_by() -> None:
    """⌊0.25 · (1 + cos(π t / 75)) · 1000⌋ of a thousand edges."""
    leaving = {}
    for step in (10, 30, 60, 70):
        run = lone_run([torch.ones(50, 40)], budget=1000, now=Moment(step, 100, 20))
        METHOD.begin(run)
        with torch.no_grad():
            only(run).weight.copy_(only(run).gate.kept * torch.arange(1.0, 2001).view(50, 40))
        before = only(run).gate.kept.clone()
        METHOD.before_step(run)
        only(run).weight.grad = 1.0 + ~before
        METHOD.after_backward(run)
        leaving[step] = int((before & ~only(run).gate.kept).sum())
        assert int(only(run).gate.kept.sum()) == 1000
    # cos(0.4189) = 0.9135, cos(1.2566) = 0.3090, cos(2.5133) = -0.8090, cos(2.9322) = -0.9781
    assert leaving == {10: 478, 30: 327, 60: 47, 70: 5}


def test_exchanges_are_every_delta_t_steps_until_the_stop() -> None:
    run = lone_run([WEIGHT], budget=4, legal=[LEGAL])
    METHOD.begin(run)
    exchanging = []
    for step in range(100):
        run.now = replace(run.now, step=step)
        METHOD.before_step(run)
        only(run).weight.grad = torch.ones(2, 4)
        learning = only(run).gate.all_learn
        METHOD.after_backward(run)
        assert not only(run).gate.all_learn
        assert (only(run).weight.grad is None) == learning
        if learning:
            exchanging.append(step)
    assert exchanging == [10, 20, 30, 40, 50, 60, 70]


def test_between_exchanges_only_edges_learn() -> None:
    run = lone_run([WEIGHT], budget=4, legal=[LEGAL], now=Moment(11, 100, 20))
    set_kept(only(run), KEPT)
    METHOD.resume(run)
    METHOD.before_step(run)
    only(run).used.sum().backward()
    METHOD.after_backward(run)
    gradient = only(run).weight.grad
    assert gradient is not None
    assert torch.equal(gradient, KEPT.float())


def test_a_weight_without_gradient_keeps_its_edges() -> None:
    run = lone_run([WEIGHT], budget=4, legal=[LEGAL], now=Moment(10, 100, 20))
    set_kept(only(run), KEPT)
    METHOD.before_step(run)
    METHOD.after_backward(run)
    assert torch.equal(only(run).gate.kept, KEPT)
