"""Sparse Networks From Scratch: merits, exchange, and momenta of edges that are not there."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from micronet.errors import MicronetError
from micronet.training.method import Moment, Run
from micronet.training.methods.shared import momentum_of
from micronet.training.methods.snfs import SNFS, shared_out
from tests.training.methods.small import lone_run, set_kept, set_momentum

EDGES = torch.tensor([[True, True, True, True, False, False, False, False]])
WEIGHT = torch.tensor([[4.0, -3.0, 2.0, -1.0, 0.0, 0.0, 0.0, 0.0]])
FIRST = torch.tensor([[3.0, -3.0, 3.0, 3.0, 0.5, -2.0, 1.0, 9.0]])  # mean |momentum| of edges: 3
SECOND = torch.tensor([[-1.0, 1.0, 1.0, 1.0, 0.5, 5.0, -7.0, 6.0]])  # 1
LEGAL = torch.tensor([[True, True, True, True, True, True, True, False]])


def exchanged(step: int = 9) -> Run:
    """Two weights with four edges each, at the end of ``step`` of 100, ten an epoch."""
    now = Moment(step, 100, 10)
    run = lone_run([WEIGHT, WEIGHT], budget=8, legal=[LEGAL, None], now=now)
    for member, momentum in zip(run.gates, (FIRST, SECOND), strict=True):
        set_kept(member, EDGES)
        set_momentum(run, member, momentum)
    SNFS(rate=0.5).after_step(run)
    return run


def kept(run: Run) -> list[list[int]]:
    """The columns of the edges of each one-row weight."""
    return [member.gate.kept[0].nonzero().flatten().tolist() for member in run.gates]


def test_edges_go_where_the_momentum_is() -> None:
    """p = 0.005 + 0.495 · (1 + cos(0.1 π)) / 2 = 0.488: ⌈4 p⌉ = 2 leave each weight, so 4 in all.

    The merits 3 and 1 of 4 share them out as 3 and 1. In the first weight the candidates are
    columns 2 to 6 (7 is illegal), by |momentum| 3, 3, 0.5, 2, 1: the two that left come back, and
    column 5. In the second it is column 6 with 7.
    """
    run = exchanged()
    assert kept(run) == [[0, 1, 2, 3, 5], [0, 1, 6]]


def test_new_edges_start_at_zero_and_with_the_momentum_they_had() -> None:
    run = exchanged()
    weights = [member.weight[0].tolist() for member in run.gates]
    assert weights == [[4, -3, 2, -1, 0, 0, 0, 0], [4, -3, 0, 0, 0, 0, 0, 0]]
    for member, momentum in zip(run.gates, (FIRST, SECOND), strict=True):
        found = momentum_of(run.optimizer, member)
        assert found is not None
        assert torch.equal(found, momentum)


def test_edges_are_exchanged_between_epochs_only() -> None:
    changed = [step for step in range(100) if kept(exchanged(step)) != [[0, 1, 2, 3]] * 2]
    assert changed == [9, 19, 29, 39, 49, 59, 69, 79, 89]


def test_p_falls_by_a_cosine() -> None:
    """After step 89: p = 0.005 + 0.495 · (1 + cos(0.9 π)) / 2 = 0.0171: ⌈4 p⌉ = 1 leaves each.

    Of the two, ⌊2 · 3/4⌋ = 1 and ⌊2 · 1/4⌋ = 0 are given, the last by the larger of the fractions
    1/2 and 1/2: to the first. Its columns 3 (back again) and 5 come; the second only loses.
    """
    assert kept(exchanged(89)) == [[0, 1, 2, 3, 5], [0, 1, 2]]


def test_what_is_not_kept_is_zero_after_each_step_and_has_a_momentum() -> None:
    run = lone_run([WEIGHT], budget=4, legal=[LEGAL], now=Moment(3, 100, 10))
    (member,) = run.gates
    set_kept(member, EDGES)
    SNFS().resume(run)
    member.used.sum().backward()  # a gradient of 1 for every legal edge, used or not
    run.optimizer.step()  # rate 1: w - 1
    SNFS().after_step(run)
    assert member.weight[0].tolist() == [3, -4, 1, -2, 0, 0, 0, 0]
    momentum = momentum_of(run.optimizer, member)
    assert momentum is not None
    assert torch.equal(momentum, LEGAL.float())


def test_a_weight_that_is_nearly_full_and_grows_loses_few() -> None:
    """19 of 20 entries taken and 4/10 of the merits, of three weights: ⌈1/20 · 19⌉ = 1 leaves.

    (By p it were ⌈0.488 · 19⌉ = 10.) The others lose ⌈0.488 · 10⌉ = 5 each. Of the 11, 4.4 are for
    the first, which has place for 1 + 1; of the 2.4 that do not fit each other one gets 1.2, beside
    its 3.3: 4.5, so 5 and 4.
    """
    now = Moment(9, 100, 10)
    run = lone_run([torch.ones(1, 20)] * 3, budget=39, now=now)
    for member, edges, momentum in zip(run.gates, (19, 10, 10), (4.0, 3.0, 3.0), strict=True):
        set_kept(member, torch.arange(20)[None] < edges)
        set_momentum(run, member, torch.full((1, 20), momentum))
    SNFS().after_step(run)
    assert [int(member.gate.kept.sum()) for member in run.gates] == [20, 10, 9]


@pytest.mark.parametrize(
    ("total", "merits", "rooms", "expected"),
    [
        (4, "3/4 1/4", [9, 9], [3, 1]),
        (5, "1/3 1/3 1/3", [9, 9, 9], [2, 2, 1]),  # 1.67 each: one each, then the first two
        (10, "1/2 1/2", [2, 20], [2, 8]),  # 5 and 5; 3 do not fit
        (12, "1/2 1/4 1/4", [2, 4, 9], [2, 4, 6]),  # 6 3 3 → 2 5 5 → 2 4 6
        (7, "1 0 0", [3, 9, 9], [3, 2, 2]),  # 4 do not fit: 2 for each other, merit or not
        (6, "1/2 1/2", [3, 3], [3, 3]),
        (0, "1/2 1/2", [0, 0], [0, 0]),
    ],
)
def test_shares_add_up(total: int, merits: str, rooms: list[int], expected: list[int]) -> None:
    found = shared_out(total, [Fraction(merit) for merit in merits.split()], rooms)
    assert found == expected
    assert sum(found) == total


def test_without_any_momentum_all_weights_get_the_same() -> None:
    run = lone_run([WEIGHT, WEIGHT], budget=8, now=Moment(9, 100, 10))
    for member in run.gates:
        set_kept(member, EDGES)
    SNFS().after_step(run)
    assert [len(columns) for columns in kept(run)] == [4, 4]


def test_it_wants_sgd_with_momentum() -> None:
    run = lone_run([WEIGHT], budget=4, momentum=0.0)
    with pytest.raises(MicronetError) as caught:
        SNFS().begin(run)
    assert str(caught.value) == (
        "snfs grows edges by their momentum, and this optimizer has none.\n"
        "Set momentum above 0 in the recipe."
    )


def test_a_momentum_that_is_not_finite_is_told() -> None:
    run = lone_run([WEIGHT], budget=4, now=Moment(9, 100, 10))
    (member,) = run.gates
    set_kept(member, EDGES)
    set_momentum(run, member, torch.full((1, 8), float("inf")))
    with pytest.raises(MicronetError, match="snfs: the momentum is not finite"):
        SNFS().after_step(run)
