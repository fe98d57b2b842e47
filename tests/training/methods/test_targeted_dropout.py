"""Targeted dropout: the largest always, of the others a few, with their signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from micronet.training.methods.targeted_dropout import TargetedDropout
from tests.training.methods.small import lone_run, only

if TYPE_CHECKING:
    from micronet.training.method import Run

WEIGHT = torch.tensor([[-9.0, 1.0, -2.0, 8.0], [-7.0, 3.0, -4.0, 5.0]])
LARGEST = [[True, False, False, True], [True, False, False, False]]


def stepping(rho: float, legal: torch.Tensor | None = None) -> tuple[TargetedDropout, Run]:
    run = lone_run([WEIGHT], budget=3, legal=[legal])
    method = TargetedDropout(rho)
    method.begin(run)
    return method, run


def test_with_rho_1_every_target_is_dropped() -> None:
    method, run = stepping(1.0)
    method.before_step(run)
    assert only(run).gate.kept.tolist() == LARGEST


def test_with_rho_0_nothing_is_dropped_but_what_is_illegal() -> None:
    legal = torch.tensor([[True, False, True, True], [True, True, True, True]])
    method, run = stepping(0.0, legal)
    method.before_step(run)
    assert torch.equal(only(run).gate.kept, legal)


def test_each_target_is_dropped_with_probability_rho() -> None:
    run = lone_run([torch.rand(100, 100, generator=torch.Generator().manual_seed(3))], budget=2000)
    method = TargetedDropout(0.95)
    method.begin(run)
    largest = only(run).gate.kept.clone()
    method.before_step(run)
    kept = only(run).gate.kept
    assert bool(kept[largest].all())
    # Binomial(8000, 0.05): mean 400, deviation √(8000 · 0.05 · 0.95) = 19.5; four of them
    assert 400 - 78 <= int((kept & ~largest).sum()) <= 400 + 78


def test_each_step_draws_anew_on_top_of_the_largest() -> None:
    run = lone_run([torch.rand(100, 100, generator=torch.Generator().manual_seed(3))], budget=2000)
    method = TargetedDropout(0.95)
    method.begin(run)
    drawn = []
    for _ in range(2):
        method.before_step(run)
        drawn.append(only(run).gate.kept.clone())
        method.after_step(run)
        assert int(only(run).gate.kept.sum()) == 2000
    assert not torch.equal(*drawn)


def test_weights_keep_their_signs() -> None:
    method, run = stepping(0.0)
    method.before_step(run)
    assert torch.equal(only(run).used, WEIGHT)


def test_what_is_dropped_gets_no_gradient() -> None:
    method, run = stepping(1.0)
    method.before_step(run)
    only(run).used.sum().backward()
    gradient = only(run).weight.grad
    assert gradient is not None
    assert torch.equal(gradient, torch.tensor(LARGEST).float())


def test_between_steps_the_largest_are_kept_also_if_nothing_moved() -> None:
    method, run = stepping(0.0)
    method.before_step(run)
    method.after_step(run)
    assert only(run).gate.kept.tolist() == LARGEST
    with torch.no_grad():
        only(run).weight[0, 1] = 10.0
    method.after_step(run)
    assert only(run).gate.kept.tolist() == [[True, True, False, True], [False] * 4]
