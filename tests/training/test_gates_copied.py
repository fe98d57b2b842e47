"""Copies and files of a network with gates, and its state as if it had none."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from micronet.training.gates import Gates, plain_state
from micronet.training.sparsify import harden, sparsify
from tests.training.sparse_nets import kept, largest, net, overwrite, step

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("budgets", ["layer", "global"])
def test_a_deep_copy_looks_at_its_own_weights(budgets: Any) -> None:
    model = net()
    gates = sparsify(model, 0.25, budgets=budgets)
    before = kept(gates)
    twin = copy.deepcopy(model)
    optimizer = torch.optim.SGD(twin.parameters(), lr=1.0, fused=True)
    for _ in range(3):
        step(twin, optimizer)
    twin(torch.randn(1, 6))

    assert kept(gates) == before == largest(gates)
    own = Gates.of(twin)
    assert kept(own) == largest(own) != before
    assert [group.budget for group in own.groups] == [group.budget for group in gates.groups]
    assert {id(m.weight) for m in own} <= {id(parameter) for parameter in twin.parameters()}
    assert {id(m.owner) for m in own} <= {id(module) for module in twin.modules()}


def test_gates_are_found_again() -> None:
    model = net()
    gates = sparsify(model, 0.25)
    again = Gates.of(model)
    assert again.groups == gates.groups
    assert again.thresholds == gates.thresholds
    again.hold()
    assert all(member.gate.choose is None for member in gates)
    assert Gates.of(net()).groups == ()


def test_a_layer_is_copied_without_the_rest_of_the_network() -> None:
    model = net()
    sparsify(model, 0.25)
    twin: Any = copy.deepcopy(model[2])
    chooser = twin.parametrizations.weight[0].choose
    assert [member.name for member in chooser.group.members] == ["2.weight"]
    assert chooser.group.members[0].owner is not model[2]


def test_a_state_goes_through_a_file(tmp_path: Path) -> None:
    """Weights and choice come back bit by bit, without running code."""
    model = net()
    sparsify(model, 0.25)
    step(model, torch.optim.SGD(model.parameters(), lr=0.1))
    torch.save(model.state_dict(), tmp_path / "state.pt")
    other = net()
    gates = sparsify(other, 0.25)
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    x = torch.randn(3, 6)
    assert_close(other(x), model(x))
    assert kept(gates) == kept(Gates.of(model))
    assert other.state_dict().keys() == model.state_dict().keys()
    assert all(
        torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items()
    )


def test_a_plain_state_is_that_of_the_network_without_gates() -> None:
    model = net()
    plain = net().state_dict()
    sparsify(model, 0.25, keep_dense=["4"])
    overwrite(model)
    state = plain_state(model)
    assert set(state) == set(plain)
    first: Any = model[0]
    assert torch.equal(state["0.weight"], first.weight)
    assert int(state["0.weight"].count_nonzero()) == 12
    assert torch.equal(state["4.weight"], plain["4.weight"].flip(0))
    assert all(not value.requires_grad for value in state.values())
    hardened = harden(copy.deepcopy(model)).state_dict()
    assert all(torch.equal(hardened[name], value) for name, value in state.items())


def test_a_plain_state_is_a_copy_of_what_is_used() -> None:
    """With every entry kept, too: training on does not change it."""
    model = net()
    sparsify(model, 1.0)
    state = plain_state(model)
    before = {name: value.clone() for name, value in state.items() if "weight" in name}
    overwrite(model)
    assert all(torch.equal(state[name], value) for name, value in before.items())


def test_a_plain_state_of_a_lone_layer_has_plain_names() -> None:
    layer = nn.Linear(3, 2)
    sparsify(layer, 0.5)
    assert set(plain_state(layer)) == {"weight", "bias"}


def test_a_network_without_gates_has_the_state_that_it_has() -> None:
    model = net()
    state = plain_state(model)
    assert list(state) == list(model.state_dict())
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
