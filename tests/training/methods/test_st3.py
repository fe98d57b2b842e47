"""ST-3: the cubic ramp, soft thresholds, straight-through gradients, and rows of the same size."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from micronet.training.gate import GateFunction
from micronet.training.gates import plain_state
from micronet.training.method import Moment, Run
from micronet.training.methods.st3 import ST3, threshold
from tests.training.methods.small import Bench, lone_run, only

WEIGHT = torch.tensor([[0.5, -0.375, 0.25], [-0.125, 0.0625, 0.4375]])


def softened(budget: int, *, rescale: bool, legal: torch.Tensor | None = None) -> Run:
    """A run whose ramp is over."""
    run = lone_run([WEIGHT], budget=budget, legal=[legal])
    ST3(start=0.0, stop=0.0, rescale=rescale).begin(run)
    return run


def test_the_number_of_edges_falls_by_a_cube() -> None:
    run = lone_run([torch.rand(25, 40)], budget=100, now=Moment(0, 100, 10))
    method = ST3(start=0.1, stop=0.6)
    method.begin(run)
    counts = {0: int(only(run).gate.kept.sum())}
    for step in (10, 20, 35, 50, 59, 60, 99):
        run.now = replace(run.now, step=step - 1)
        method.after_step(run)
        counts[step] = int(only(run).gate.kept.sum())
    # 100 + 900 · (1 - x)³ with x = (step - 10) / 50, rounded up:
    # 0.8³ = 0.512 → 460.8, 0.5³ = 0.125 → 112.5, 0.2³ = 0.008 → 7.2, 0.02³ = 0.000008 → 0.0072
    expected = {0: 1000, 10: 1000, 20: 561, 35: 213, 50: 108, 59: 101, 60: 100, 99: 100}
    assert counts == expected


def test_what_is_kept_is_drawn_to_zero_by_the_largest_that_is_not() -> None:
    run = softened(3, rescale=False)
    assert threshold(run.gates.groups[0]) == 0.25
    assert only(run).used.tolist() == [[0.25, -0.125, 0.0], [0.0, 0.0, 0.1875]]


def test_illegal_weights_set_no_threshold() -> None:
    legal = torch.tensor([[True, True, False], [True, True, True]])
    run = softened(3, rescale=False, legal=legal)
    assert threshold(run.gates.groups[0]) == 0.125
    assert only(run).used.tolist() == [[0.375, -0.25, 0.0], [0.0, 0.0, 0.3125]]


def test_the_weights_of_a_group_share_their_threshold() -> None:
    run = lone_run([WEIGHT, 2 * WEIGHT], budget=4)
    ST3(start=0.0, stop=0.0).begin(run)
    # 1, 0.875, 0.75 and one of 0.5 (the first weight's) stay; 0.5 of the second does not
    assert [int(member.gate.kept.sum()) for member in run.gates] == [1, 3]
    below = torch.tensor(0.5).nextafter(torch.tensor(0.0)).item()
    assert [member.gate.shrink for member in run.gates] == [below, below]


def test_a_kept_edge_is_never_zero_also_where_magnitudes_are_equal() -> None:
    run = lone_run([torch.tensor([[0.5, -0.5, 0.5, 0.25]])], budget=2)
    ST3(start=0.0, stop=0.0, rescale=False).begin(run)
    used = only(run).used
    assert used.ne(0).tolist() == [[True, True, False, False]]
    assert used.abs().max().item() == 2**-25  # the next number below 0.5 is 0.5 - 2**-25


def test_a_complete_graph_is_used_as_it_is() -> None:
    run = softened(6, rescale=True)
    assert only(run).gate.shrink == 0.0
    assert only(run).gate.gain == 1.0
    assert torch.equal(only(run).used, WEIGHT)


def test_rows_are_scaled_by_what_they_lost() -> None:
    """Σ|w| of the rows: 1.125, of which 0.875 is kept, and 0.625, of which 0.4375 is."""
    gain = only(softened(3, rescale=True)).gate.gain
    assert isinstance(gain, torch.Tensor)
    kept = torch.tensor([[0.875], [0.4375]]) / 3 + 1e-6
    whole = torch.tensor([[1.125], [0.625]]) / 3 + 1e-6
    assert torch.equal(gain, 1.01 / (kept / whole + 0.01))
    used = only(softened(3, rescale=True)).used
    assert torch.equal(used, only(softened(3, rescale=False)).used * gain)


@pytest.mark.parametrize("rescale", [True, False])
def test_gradients_go_straight_through_to_every_legal_edge(rescale: bool) -> None:
    legal = torch.tensor([[True, True, False], [True, True, True]])
    run = softened(3, rescale=rescale, legal=legal)
    pull = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    (only(run).used * pull).sum().backward()
    gradient = only(run).weight.grad
    assert gradient is not None
    assert torch.equal(gradient, pull * legal)


def test_a_gate_without_soft_threshold_multiplies_and_nothing_else() -> None:
    weight, kept = torch.tensor([[1.5, float("inf")]]), torch.tensor([[True, True]])
    assert torch.equal(GateFunction.apply(weight, kept, None), weight)
    soft = GateFunction.apply(weight[:, :1], kept[:, :1], None, (0.5, 2.0))
    assert soft.tolist() == [[2.0]]  # 2 · (1.5 - 0.5)


def test_at_the_end_the_weights_are_what_was_used_of_them() -> None:
    bench = Bench(ST3()).begin().train(12)
    images = torch.ones(2, 8, 3, 3)
    answer, stored = bench.model(images), plain_state(bench.model)

    bench.finish()

    assert torch.equal(bench.model(images), answer)
    assert all(map(torch.equal, plain_state(bench.model).values(), stored.values()))
    assert sum(int(member.weight.count_nonzero()) for member in bench.gates) == 70
    for member in bench.gates:
        assert torch.equal(member.weight, member.used)
        assert (member.gate.shrink, member.gate.gain) == (0.0, 1.0)


def test_a_finished_run_can_be_taken_up_as_it_is() -> None:
    bench = Bench(ST3()).begin().train(12).finish()
    images = torch.ones(2, 8, 3, 3)
    again = Bench(ST3(), seed=4).resume(bench.stored())
    assert torch.equal(again.model(images), bench.model(images))
