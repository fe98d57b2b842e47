"""Groups of gates keep exactly their budget, whatever happens to the weights in between."""

from __future__ import annotations

from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

from micronet.training import gates as gates_module
from micronet.training.gates import Gates, Group, gated, gated_weights
from micronet.training.selection import select
from micronet.training.sparsify import sparsify
from tests.training.sparse_nets import kept, largest, net, overwrite, step

if TYPE_CHECKING:
    from collections.abc import Callable

BUDGETS = pytest.mark.parametrize("budgets", ["layer", "global"])


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by each choice that is made."""
    choices: list[int] = []

    def counting(candidates: Any, count: int) -> float | None:
        choices.append(count)
        return select(candidates, count)

    monkeypatch.setattr(gates_module, "select", counting)
    return choices


@BUDGETS
def test_each_group_uses_its_largest_weights(budgets: Any) -> None:
    model = net()
    gates = sparsify(model, 0.25, budgets=budgets)
    assert [group.budget for group in gates.groups] == ([12, 16, 6] if budgets == "layer" else [34])
    assert gates.kept == gates.budget == 34
    assert kept(gates) == largest(gates)
    for index, group in enumerate(gates.groups):
        used = torch.cat([m.weight.detach().abs()[m.gate.kept] for m in group.members])
        assert gates.thresholds[index] == float(used.min())


OPTIMISERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=1.0, foreach=False),
    "SGD, foreach": lambda p: torch.optim.SGD(p, lr=1.0, foreach=True),
    "SGD, fused": lambda p: torch.optim.SGD(p, lr=1.0, fused=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.1),
    "Adam, fused": lambda p: torch.optim.Adam(p, lr=0.1, fused=True),
}


@BUDGETS
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_the_choice_follows_every_optimiser(optimiser: str, budgets: Any) -> None:
    """Fused ones write to weights without raising torch's version counter."""
    model = net()
    gates = sparsify(model, 0.25, budgets=budgets)
    optimizer = OPTIMISERS[optimiser](model.parameters())
    seen = []
    for _ in range(5):
        step(model, optimizer)
        model.eval()(torch.randn(1, 6))
        model.train()
        assert kept(gates) == largest(gates)
        seen.append(kept(gates))
    assert any(one != other for one, other in pairwise(seen))


def load(model: nn.Sequential) -> None:
    other = net()
    sparsify(other, 0.25)
    overwrite(other)
    model.load_state_dict(other.state_dict())  # its choice is older than its weights


def load_assigned(model: nn.Sequential) -> None:
    other = net()
    sparsify(other, 0.25)
    overwrite(other)
    model.load_state_dict(other.state_dict(), assign=True)


def from_vector(model: nn.Sequential) -> None:
    flat = torch.linspace(-1, 2, sum(p.numel() for p in model.parameters()))
    nn.utils.vector_to_parameters(flat, model.parameters())


def spoil(model: nn.Sequential) -> None:
    for each in gated_weights(model):
        each.gate.kept.fill_(value=True)


WRITERS = pytest.mark.parametrize("write", [overwrite, load, load_assigned, from_vector, spoil])


@BUDGETS
@WRITERS
def test_the_choice_follows_whoever_writes(
    write: Callable[[nn.Sequential], None], budgets: Any
) -> None:
    model = net()
    gates = sparsify(model, 0.25, budgets=budgets)
    model(torch.randn(1, 6))
    write(model)
    with torch.no_grad():
        model(torch.randn(1, 6))
    assert kept(gates) == largest(gates)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64, torch.float32])
@BUDGETS
def test_the_choice_follows_a_change_of_type(kind: torch.dtype, budgets: Any) -> None:
    """Rounded to bfloat16, weights tie that did not."""
    model = net()
    gates = sparsify(model, 0.25, budgets=budgets)
    model.to(kind)
    assert model(torch.randn(1, 6, dtype=kind)).dtype == kind
    assert kept(gates) == largest(gates)
    assert gates.kept == 34
    assert all(member.used.dtype == member.weight.dtype == kind for member in gates)


def test_a_group_chooses_once_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once a weight, nor again while nothing has moved."""
    model = net()
    sparsify(model, 0.25, budgets="global")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    choices = counted(monkeypatch)
    model(torch.randn(1, 6))
    model.eval()(torch.randn(1, 6))
    assert choices == []
    for _ in range(3):
        step(model.train(), optimizer)
    model(torch.randn(1, 6))
    model(torch.randn(1, 6))
    assert choices == [34] * 3


def test_a_choice_that_is_held_stays() -> None:
    model = net()
    gates = sparsify(model, 0.25)
    before = kept(gates)
    gates.hold()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for _ in range(3):
        step(model, optimizer)
    assert kept(gates) == before != largest(gates)
    gates.choose_largest()
    assert kept(gates) == largest(gates)
    gates.follow_largest()
    overwrite(model)
    model(torch.randn(1, 6))
    assert kept(gates) == largest(gates)


def test_groups_can_keep_other_counts_for_once_also_among_what_they_keep() -> None:
    gates = sparsify(net(), 0.25)
    gates.hold()
    before = kept(gates)
    gates.choose_largest([3, 2, 1], among_kept=True)
    assert [sum(row) for row in kept(gates)] == [3, 2, 1]
    rows = zip(chain(*before), chain(*kept(gates)), strict=True)
    assert all(was or not now for was, now in rows)
    gates.choose_largest([3, 2, 1])
    assert [sum(row) for row in kept(gates)] == [3, 2, 1]
    gates.choose_largest()
    assert kept(gates) == before


def test_a_budget_comes_back_after_another_count() -> None:
    model = net()
    gates = sparsify(model, 0.25)
    gates.choose_largest([1, 1, 1])
    model(torch.randn(1, 6))
    assert kept(gates) == largest(gates)


def test_modes_do_not_matter() -> None:
    """Training, evaluation, no_grad and inference mode use the same edges."""
    model = net()
    gates = sparsify(model, 0.25)
    overwrite(model)
    x = torch.randn(2, 6)
    expected = model(x)
    used = [member.used.clone() for member in gates]
    for context in (torch.inference_mode(), torch.no_grad(), torch.enable_grad()):
        for training in (False, True):
            with context:
                assert_close(model.train(training)(x), expected)
                assert all(torch.equal(m.used, one) for m, one in zip(gates, used, strict=True))


def test_a_network_made_in_inference_mode_follows_too() -> None:
    """Its tensors have no version counter."""
    with torch.inference_mode():
        model = net()
        gates = sparsify(model, 0.25)
        overwrite(model)
        model(torch.randn(1, 6))
        assert kept(gates) == largest(gates)


def test_there_is_nothing_to_choose_on_the_meta_device() -> None:
    model = net()
    sparsify(model, 0.25)
    assert model.to("meta")(torch.empty(2, 6, device="meta")).shape == (2, 3)


def test_recomputed_activations_give_the_same_gradients() -> None:
    """Checkpointing runs the forward pass again in the midst of the backward pass."""
    found = []
    for recompute in (False, True):
        model = net()
        gates = sparsify(model, 0.25, budgets="global")
        torch.manual_seed(1)
        x = torch.randn(4, 6)
        y = checkpoint(model, x, use_reentrant=False) if recompute else model(x)
        y.square().sum().backward()
        torch.optim.SGD(model.parameters(), lr=0.1, fused=True).step()
        model(x)
        assert kept(gates) == largest(gates)
        found.append([parameter.grad for parameter in model.parameters()])
    assert_close(*found)


def test_a_gated_weight_tells_what_may_be_kept() -> None:
    layer = nn.Conv2d(2, 2, 1, bias=False)
    legal = torch.tensor([[True, False], [True, True]])
    member = gated(layer, "weight", "weight", legal)
    gates = Gates([Group((member,), 2)])
    assert member.legal_entries == 3
    assert (gates.kept, gates.budget, gates.thresholds) == (3, 2, (None,))
    gates.choose_largest()
    assert gates.kept == 2
    assert isinstance(member.used, Tensor)
    assert int(member.used.count_nonzero()) == 2
