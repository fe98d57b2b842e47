"""SET: ζ of the smallest leave each epoch, random ones come."""

from __future__ import annotations

import torch

from micronet.training.method import Moment, Run
from micronet.training.methods.set import SET
from micronet.training.methods.shared import momentum_of
from tests.training.methods.small import lone_run, only, set_kept, set_momentum

LEGAL = torch.ones(4, 5, dtype=torch.bool)
LEGAL[3, 4] = False
KEPT = torch.zeros(4, 5, dtype=torch.bool)
KEPT[:2] = True
WEIGHT = torch.arange(1.0, 21).view(4, 5) * torch.tensor([1.0, -1, 1, -1, 1])


def evolving(seed: int = 0, step: int = 9) -> Run:
    """Ten edges of magnitude 1 to 10; nineteen entries are legal."""
    run = lone_run([WEIGHT], budget=10, legal=[LEGAL], now=Moment(step, 100, 10))
    run.generator.manual_seed(seed)
    set_kept(only(run), KEPT)
    set_momentum(run, only(run), torch.ones(4, 5))
    SET().after_step(run)
    return run


def test_three_of_ten_edges_are_exchanged() -> None:
    member = only(evolving())
    kept = member.gate.kept
    assert int(kept.sum()) == 10  # ⌊0.3 · 10⌋ = 3 leave, 3 come
    assert kept[:2].flatten()[3:].all()  # magnitudes 4 to 10 stay, whatever their sign
    assert torch.equal(member.weight[:2].flatten()[3:], WEIGHT[:2].flatten()[3:])
    assert not bool(kept[3, 4])


def test_new_edges_start_at_zero_without_momentum() -> None:
    """All seven that stayed keep theirs; what left and what came has neither."""
    run = evolving(seed=1)
    momentum = momentum_of(run.optimizer, only(run))
    assert momentum is not None
    stayed = torch.zeros(4, 5)
    stayed[:2] = 1
    stayed[0, :3] = only(run).gate.kept[0, :3].float()
    assert torch.equal(momentum, stayed)
    assert torch.equal(only(run).weight != 0, stayed.bool())


def test_what_comes_is_any_legal_edge_that_did_not_stay() -> None:
    counts = torch.zeros(4, 5)
    for seed in range(400):
        counts += only(evolving(seed)).gate.kept
    candidates = LEGAL.clone()
    candidates[:2].flatten()[3:] = False
    assert int(candidates.sum()) == 12
    # 3 of 12: 400 · 1/4 = 100 times each, deviation √(400 · 1/4 · 3/4) = 8.7; four of them
    assert bool((counts[candidates] - 100).abs().max() <= 35)
    assert bool((counts[LEGAL & ~candidates] == 400).all())
    assert counts[3, 4] == 0


def test_edges_change_between_epochs_only() -> None:
    for step, changes in ((8, False), (9, True), (10, False), (89, True), (99, False)):
        assert torch.equal(only(evolving(step=step)).gate.kept, KEPT) != changes


def test_each_weight_of_a_group_keeps_its_number_of_edges() -> None:
    run = lone_run([torch.rand(6, 6), torch.rand(6, 6)], budget=30, now=Moment(9, 100, 10))
    SET().begin(run)
    before = [int(member.gate.kept.sum()) for member in run.gates]
    masks = [member.gate.kept.clone() for member in run.gates]
    SET().after_step(run)
    assert [int(member.gate.kept.sum()) for member in run.gates] == before
    assert not any(map(torch.equal, masks, [member.gate.kept for member in run.gates]))
