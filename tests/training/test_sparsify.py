"""One line makes any network sparse, another one makes it plain again."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import micronet
from micronet.models.mobilenetv1_dnw import Block
from micronet.training.gates import Gates, plain_state
from micronet.wiring import BlockShape, kept_edges, legal_edges
from tests.training import sparse_team
from tests.training.sparse_nets import GATED, TOKENS, Tied, everything


def names(gates: Gates) -> list[str]:
    return [member.name for member in gates]


def test_convolutions_linear_layers_and_attention_are_sparse_and_nothing_else() -> None:
    model = everything()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gates = micronet.sparsify(model, 0.25)
    assert names(gates) == GATED
    for name, value in plain_state(model).items():
        if name in GATED:
            assert int(value.count_nonzero()) == kept_edges(before[name].numel(), 0.25)
            assert torch.equal(value, before[name].where(value != 0, 0))
        else:
            assert torch.equal(value, before[name])


@pytest.mark.parametrize("training", [True, False])
def test_a_sparse_network_computes_what_the_plain_one_with_zeros_does(*, training: bool) -> None:
    """Also where attention takes its fast path, in evaluation without gradients."""
    model = everything().train(training)
    micronet.sparsify(model, 0.25)
    plain = everything().train(training)
    plain.load_state_dict(plain_state(model))
    for context in (torch.no_grad(), torch.enable_grad()):
        with context:
            assert_close(model(TOKENS), plain(TOKENS))


def test_an_optimiser_made_before_is_still_right() -> None:
    """The Parameters are the very ones that were there; every edge of every gate learns."""
    model = everything()
    parameters = {id(parameter) for parameter in model.parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    gates = micronet.sparsify(model, 0.25)
    assert {id(parameter) for parameter in model.parameters()} == parameters
    before = [member.weight.detach().clone() for member in gates]
    model(TOKENS).square().sum().backward()
    optimizer.step()
    for member, old in zip(gates, before, strict=True):
        moved = member.weight.detach() != old
        assert (moved & ~member.gate.kept).any()
        assert (moved & member.gate.kept).any()


@pytest.mark.parametrize(
    ("keep_dense", "sparse"),
    [
        ([], GATED),
        ("head", GATED[:-1]),
        (["head", "conv"], GATED[1:-1]),
        (["head.weight"], GATED[:-1]),
        (["attention"], [name for name in GATED if not name.startswith("attention")]),
        (["attention.in_proj_weight"], [name for name in GATED if name != GATED[2]]),
        (["*.out_proj"], [name for name in GATED if "out_proj" not in name]),
        (["*_weight", "norm"], [name for name in GATED if "_weight" not in name]),
        (["[!h]*"], ["head.weight"]),
    ],
)
def test_what_is_named_stays_dense(keep_dense: list[str] | str, sparse: list[str]) -> None:
    assert names(micronet.sparsify(everything(), 0.25, keep_dense=keep_dense)) == sparse


def test_budgets_are_exact_of_each_layer_or_of_all() -> None:
    """Entries 192, 64, 192, 64, 64, 32, 48, 64 and 24: 744, a tenth of each and of all rounded up."""
    each = [group.budget for group in micronet.sparsify(everything(), 0.1).groups]
    assert each == [20, 7, 20, 7, 7, 4, 5, 7, 3]
    for budgets in ("erk", "global"):
        gates = micronet.sparsify(everything(), 0.1, budgets=budgets)
        assert gates.kept == gates.budget == 75
        assert len(gates.groups) == (9 if budgets == "erk" else 1)


def test_a_density_of_one_changes_nothing() -> None:
    model = everything().eval()
    gates = micronet.sparsify(model, 1)
    assert gates.kept == 744
    assert_close(model(TOKENS), everything().eval()(TOKENS))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_networks_of_other_types_are_sparse_as_well(kind: torch.dtype) -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)).to(kind)
    gates = micronet.sparsify(model, 0.25)
    model(torch.randn(2, 8, dtype=kind)).sum().backward()
    assert gates.kept == 16 + 4
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_wiring_brings_its_own_legal_edges() -> None:
    """In a graph of the MobileNetV1-like wiring edges lead to later levels only."""
    shape = BlockShape(3, 2, 1, 2)
    block = Block(shape, 1.0, "dnw")
    block.graph.reopen()
    gates = micronet.sparsify(block, 0.5, keep_dense=["conv", "downsample"])
    (member,) = gates
    assert member.legal_entries == int(legal_edges(shape).sum()) == 4 * 3 + 2 * 2
    assert gates.kept == 8
    assert not (member.gate.kept[:, :, 0, 0] & ~legal_edges(shape)).any()


def test_only_legal_edges_compete_and_count() -> None:
    layer = nn.Linear(4, 4)
    legal = torch.eye(4, dtype=torch.bool).logical_not()
    with torch.no_grad():
        layer.weight.fill_diagonal_(100)
    gates = micronet.sparsify(layer, 0.5, legal={"weight": legal})
    assert gates.kept == 6
    assert not layer.weight.diagonal().any()


def test_modules_that_share_a_weight_share_its_gate() -> None:
    """16 entries that count once, one gradient of both uses, and the tie survives the way back."""
    model = Tied()
    gates = micronet.sparsify(model, 0.25)
    assert names(gates) == ["one.weight", "out.weight"]
    assert gates.kept == 4 + 5
    assert torch.equal(model.one.weight, model.two.weight)
    expected = model(TOKENS)
    twin: Any = copy.deepcopy(model)
    assert twin.one.parametrizations.weight[0] is twin.two.parametrizations.weight[0]

    plain = Tied()
    plain.load_state_dict(plain_state(model))
    assert_close(plain(TOKENS), expected)
    hard = micronet.harden(model)
    assert hard.one.weight is hard.two.weight
    assert_close(hard(TOKENS), expected)
    assert int(hard.one.weight.count_nonzero()) == 4


def test_hardened_weights_are_plain_ones_with_zeros() -> None:
    """The same Parameters and classes as before, and the same answers as with gates."""
    model = everything().eval()
    parameters = {name: id(parameter) for name, parameter in model.named_parameters()}
    kinds = [type(module) for module in model.modules()]
    micronet.sparsify(model, 0.25)
    expected = model(TOKENS)
    state = plain_state(model)

    assert micronet.harden(model) is model

    assert {name: id(parameter) for name, parameter in model.named_parameters()} == parameters
    assert [type(module) for module in model.modules()] == kinds
    assert_close(model(TOKENS), expected)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    everything().load_state_dict(model.state_dict())


def test_hardened_weights_are_the_largest_of_now() -> None:
    """A step may have moved them since the last forward pass."""
    layer = nn.Linear(3, 1, bias=False)
    micronet.sparsify(layer, 0.5)
    with torch.no_grad():
        layer.parametrizations.weight.original.copy_(torch.tensor([[1.0, -3.0, 2.0]]))  # type: ignore[union-attr, operator]
    assert micronet.harden(layer).weight.tolist() == [[0.0, -3.0, 2.0]]


def test_a_team_of_processes_keeps_the_same_edges(tmp_path: Path) -> None:
    """Two processes with images of their own, under DistributedDataParallel."""
    command = [sys.executable, sparse_team.__file__]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path.cwd())}
    team = [
        subprocess.Popen(
            [*command, str(rank), "2", str(tmp_path / "meeting")],
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )
        for rank in range(2)
    ]
    one, two = (json.loads(process.communicate(timeout=300)[0]) for process in team)
    assert one == two
    assert one["kept"] == 30  # a tenth of 200 + 100
    assert one["largest"]
    assert len(set(one["edges"])) > 1
    assert one["parameters"] == [
        *("module.0.bias", "module.0.parametrizations.weight.original"),
        *("module.2.bias", "module.2.parametrizations.weight.original"),
    ]
