"""The one-shot lottery ticket and fine-tuning: all edges, then the largest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from micronet.training.method import Method
from micronet.training.methods.fine_tune import FineTune
from micronet.training.methods.lottery_ticket import LotteryTicket
from micronet.wiring import keep_largest
from tests.training.methods.small import STEPS, Bench

if TYPE_CHECKING:
    from torch import Tensor

BOTH = pytest.mark.parametrize(
    "method", [LotteryTicket(), FineTune()], ids=lambda m: type(m).__name__
)
HALF = STEPS // 2


def weights(bench: Bench) -> list[Tensor]:
    return [p.detach().clone() for p in bench.model.parameters()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(map(torch.equal, one, other))


@BOTH
def test_the_first_part_trains_as_if_nothing_were_sparse(method: LotteryTicket | FineTune) -> None:
    """A fresh gate keeps every legal edge, and all of them learn."""
    bench = Bench(method, layout="each").begin().train(HALF)
    plain = Bench(Method(), layout="each").begin().train(HALF)
    assert same(weights(bench), weights(plain))


@BOTH
def test_at_the_turn_the_largest_trained_weights_are_chosen_and_held(
    method: LotteryTicket | FineTune,
) -> None:
    bench = Bench(method, layout="each").begin().train(HALF)
    chosen = [
        keep_largest(group.members[0].weight, group.budget, group.members[0].gate.legal)
        for group in bench.gates.groups
    ]
    for _ in range(HALF):
        bench.train(1)
        assert same([member.gate.kept for member in bench.gates], chosen)


def at_the_turn(method: LotteryTicket | FineTune) -> tuple[list[Tensor], list[Tensor], Bench]:
    """The first weights, those before the turn, and the run after it."""
    bench = Bench(method)
    first = weights(bench)
    before = weights(bench.begin().train(HALF))
    assert bench.run.optimizer.state
    method.before_step(bench.run)
    return first, before, bench


def test_a_ticket_goes_back_to_the_first_values_of_all_parameters() -> None:
    first, before, bench = at_the_turn(LotteryTicket())
    assert not same(first, before)
    assert same(weights(bench), first)
    assert bench.run.memory == {}


def test_fine_tuning_goes_on_with_the_trained_weights() -> None:
    _, before, bench = at_the_turn(FineTune())
    assert same(weights(bench), before)


@BOTH
def test_the_second_part_begins_without_momentum(method: LotteryTicket | FineTune) -> None:
    _, _, bench = at_the_turn(method)
    assert not bench.run.optimizer.state


@BOTH
def test_the_turn_may_be_elsewhere(method: LotteryTicket | FineTune) -> None:
    bench = Bench(type(method)(turn=0.25)).begin().train(3)
    assert bench.kept() == bench.legal()
    bench.train(1)
    assert bench.kept() == bench.budgets()
