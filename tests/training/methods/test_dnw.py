"""DNW, and what is left of it without its update rule."""

from __future__ import annotations

import torch

from micronet.training.methods.dnw import DNW
from micronet.training.methods.no_update import NoUpdate
from tests.training.methods.small import lone_run, only

WEIGHT = torch.tensor([[0.5, 0.4, -0.3]])
PULL = torch.tensor([[0.0625, 0.0, 0.5]])  # the gradient, if all edges get one


def used_and_gradient(method: DNW | NoUpdate) -> tuple[list[list[float]], list[list[float]]]:
    run = lone_run([WEIGHT], budget=2)
    method.begin(run)
    used = only(run).used
    (used * PULL).sum().backward()
    gradient = only(run).weight.grad
    assert gradient is not None
    return used.tolist(), gradient.tolist()


def test_dnw_uses_the_largest_and_all_edges_learn() -> None:
    used, gradient = used_and_gradient(DNW())
    assert used == torch.tensor([[0.5, 0.4, 0.0]]).tolist()
    assert gradient == [[0.0625, 0.0, 0.5]]


def test_without_the_update_rule_only_edges_in_use_learn() -> None:
    used, gradient = used_and_gradient(NoUpdate())
    assert used == torch.tensor([[0.5, 0.4, 0.0]]).tolist()
    assert gradient == [[0.0625, 0.0, 0.0]]


def test_under_dnw_an_edge_that_would_have_helped_comes_in() -> None:
    """w = -0.3 with gradient 0.5 and rate 1 goes to -0.8, over 0.4; without the rule it stays."""
    kept = {}
    for method in (DNW(), NoUpdate()):
        run = lone_run([WEIGHT], budget=2)
        method.begin(run)
        (only(run).used * PULL).sum().backward()
        run.optimizer.step()
        kept[type(method)] = only(run).used.ne(0).tolist()
    assert kept[DNW] == [[True, False, True]]  # 0.4375, 0.4, -0.8
    assert kept[NoUpdate] == [[True, True, False]]  # 0.4375, 0.4, -0.3


def test_what_is_not_used_still_decays_without_the_update_rule() -> None:
    run = lone_run([WEIGHT], budget=2)
    run.optimizer.param_groups[0]["weight_decay"] = 0.5
    NoUpdate().begin(run)
    (only(run).used * 0).sum().backward()
    run.optimizer.step()
    assert torch.equal(only(run).weight, WEIGHT - 0.5 * WEIGHT)
