"""What every method promises: exact budgets, legal edges only, the same bits after a restart."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import pytest
import torch

from micronet.training.methods.registry import METHODS, method_of
from tests.training.methods.small import STEPS, Bench

if TYPE_CHECKING:
    from torch import Tensor

    from micronet.training.method import Method

KNOBS: dict[str, dict[str, object]] = {"rigl": {"delta_t": 2}, "l1-anneal": {"strength": 1e-3}}
BEFORE_THE_TURN = {"lottery-ticket", "fine-tune"}
RAMP = {"l1-anneal", "st3"}
ALL_LEARN = {"dnw", "snfs", "st3"}
RANDOM = {"random-graph", "targeted-dropout", "snfs", "set", "rigl"}
EVERY = [(name, layout) for name in METHODS for layout in ("each", "together")]
TABLE = pytest.mark.parametrize(("name", "layout"), EVERY)
NAMES = pytest.mark.parametrize("name", METHODS)


def method(name: str) -> Method:
    return method_of(name, KNOBS.get(name, {}))


def edges_by_rule(name: str, step: int, budget: int, legal: int) -> range:
    """How many edges a forward pass of ``step`` may keep."""
    if name in BEFORE_THE_TURN and step < STEPS // 2:
        return range(legal, legal + 1)
    if name == "targeted-dropout":
        return range(budget, legal + 1)
    if name in RAMP:
        first, last, power = (0, 9, 1) if name == "l1-anneal" else (0, 6, 3)
        left = min(max((last - step) / (last - first), 0), 1) ** power
        more = ceil(round((legal - budget) * left, 9))
        return range(budget + more, budget + more + 1)
    return range(budget, budget + 1)


@TABLE
def test_each_forward_pass_keeps_as_many_edges_as_the_rule_says(name: str, layout: str) -> None:
    bench = Bench(method(name), layout).begin()

    def watch(bench: Bench, moment: str) -> None:
        if moment != "forward":
            return
        step = bench.run.now.step
        for kept, budget, legal in zip(bench.kept(), bench.budgets(), bench.legal(), strict=True):
            assert kept in edges_by_rule(name, step, budget, legal)
        for member in bench.gates:
            assert not bool(member.used[~member.gate.kept].any())

    bench.train(STEPS, watch).finish()

    assert bench.run.gates.kept == 70
    assert bench.kept() == bench.budgets()


@TABLE
def test_illegal_edges_are_never_kept_and_never_learn(name: str, layout: str) -> None:
    def watch(bench: Bench, moment: str) -> None:
        for member in bench.gates:
            if member.gate.legal is not None:
                illegal = ~member.gate.legal
                assert not bool(member.gate.kept[illegal].any())
                gradient = member.weight.grad
                if moment == "backward" and gradient is not None:
                    assert not bool(gradient[illegal].any())
        first = bench.last_gradients[0] if moment == "backward" else None
        if first is not None:
            assert bool(first.any())

    Bench(method(name), layout).begin().train(STEPS, watch).finish()


def state(bench: Bench) -> list[Tensor]:
    """Everything that decides what comes next."""
    stored = bench.stored()
    momenta = [s["momentum_buffer"] for s in stored["optimizer"]["state"].values()]
    return [*stored["model"].values(), *momenta, stored["generator"], *stored["memory"].values()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


@NAMES
def test_edges_that_are_not_in_use_learn_only_where_the_method_says(name: str) -> None:
    elsewhere = []

    def watch(bench: Bench, moment: str) -> None:
        for member in bench.gates:
            gradient = member.weight.grad
            if moment == "backward" and gradient is not None:
                elsewhere.append(bool(gradient[~member.gate.kept].any()))

    Bench(method(name)).begin().train(STEPS, watch)

    assert any(elsewhere) == (name in ALL_LEARN)


@NAMES
@pytest.mark.parametrize("at", [1, 4, 6, 7])
def test_a_run_that_was_stored_goes_on_with_the_same_bits(name: str, at: int) -> None:
    whole = Bench(method(name)).begin().train(STEPS)
    first = Bench(method(name)).begin().train(at)

    second = Bench(method(name), seed=9).resume(first.stored()).train(STEPS - at)

    assert same(state(second), state(whole))
    assert same(state(second.finish()), state(whole.finish()))
    images = torch.randn(3, 8, 3, 3)
    assert torch.equal(second.model(images), whole.model(images))


@NAMES
def test_nothing_but_the_runs_generator_is_random(name: str) -> None:
    torch.manual_seed(1)
    one = Bench(method(name)).begin().train(STEPS)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    other = Bench(method(name)).begin().train(STEPS)

    assert same(state(one), state(other))
    assert torch.equal(torch.get_rng_state(), before)


@NAMES
def test_the_generator_decides_what_is_random(name: str) -> None:
    one, other = Bench(method(name)), Bench(method(name))
    other.run.generator.manual_seed(7)

    one.begin().train(STEPS)
    other.begin().train(STEPS)

    weights = [list(bench.model.state_dict().values()) for bench in (one, other)]
    assert same(*weights) == (name not in RANDOM)


@NAMES
def test_every_process_makes_the_same_choices_from_the_same_gradients(name: str) -> None:
    one = Bench(method(name)).begin()
    other = Bench(method(name), data=1, gradients_of=one).begin()

    for _ in range(STEPS):
        one.train(1)
        other.train(1)
        assert same(state(one), state(other))


@NAMES
def test_after_the_run_the_edges_stay_whatever_is_done_with_the_network(name: str) -> None:
    bench = Bench(method(name)).begin().train(STEPS).finish()
    before = state(bench)

    bench.model.eval()
    with torch.no_grad():
        once = bench.model(torch.ones(1, 8, 3, 3))
    bench.finish()

    assert same(state(bench), before)
    assert torch.equal(bench.model(torch.ones(1, 8, 3, 3)), once)


@NAMES
def test_the_loss_on_one_batch_falls(name: str) -> None:
    bench = Bench(method(name), always_the_same=True).begin()
    bench.train(1)
    first = bench.loss
    bench.train(STEPS - 1)
    assert bench.loss < first
