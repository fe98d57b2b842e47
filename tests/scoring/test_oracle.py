"""The counter against the oracle on random networks, and against what networks really do.

The oracle executes a network multiply by multiply; the counter reasons about patterns. They share no
code. The last two tests need no oracle: an edge is live exactly if the output depends on it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from micronet.scoring.network import Network
from micronet.scoring.rulebook import rule_book
from micronet.scoring.tally import tally
from micronet.scoring.trace import meta_input, trace
from tests.scoring import oracle
from tests.scoring.oracle_module import Module
from tests.scoring.oracle_random import networks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from tests.scoring.oracle_nodes import Network as Plan
    from tests.scoring.oracle_nodes import Stored

RANDOM = settings(
    database=None,
    deadline=None,
    derandomize=True,
    max_examples=150,
    suppress_health_check=list(HealthCheck),
)


def counter(plan: Plan, *, in_place: bool = False) -> oracle.Counts:
    """What micronet says about a network."""
    network = Network(trace(Module(plan, in_place=in_place), [meta_input((1, *plan.shapes()[0]))]))
    bill = tally(network, rule_book("micronet2019"))
    roots = {tensor.name: tensor.root for tensor in bill.tensors if tensor.edges}
    assert {t.name: t.live for t in bill.tensors if t.edges} == {
        name: len(_live(network, roots[name], plan.tensors[name])) for name in roots
    }
    live = {name: _live(network, roots.get(name), stored) for name, stored in plan.tensors.items()}
    cost = bill.cost
    return oracle.Counts(cost.multiplications, cost.additions, cost.other, live)


def _live(network: Network, root: int | None, stored: Stored) -> frozenset[int]:
    used = (
        network.liveness.used.get(root, torch.tensor(data=False))
        if root
        else torch.tensor(data=False)
    )
    kept = torch.tensor(stored.values) != 0
    return frozenset((kept if used is None else kept & used).nonzero().flatten().tolist())


def image_of(plan: Plan, batch: int = 1) -> Tensor:
    """Positive random inputs, always the same."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, *plan.shapes()[0], generator=generator, dtype=torch.float64) + 0.5


def outputs_of(module: Module, images: Tensor) -> tuple[Tensor, ...]:
    with torch.no_grad():
        return module.double()(images)  # type: ignore[no-any-return]


def without_dead_edges(plan: Plan, live: Mapping[str, frozenset[int]]) -> Plan:
    tensors = {
        name: replace(
            t, values=tuple(v if i in live[name] else 0.0 for i, v in enumerate(t.values))
        )
        for name, t in plan.tensors.items()
    }
    return replace(plan, tensors=tensors)


@RANDOM
@given(networks(), st.booleans())
def test_counter_equals_oracle(plan: Plan, in_place: bool) -> None:  # hypothesis draws it
    """Multiplications, additions, others and the very set of live edges of every tensor."""
    run = oracle.Run(plan, image_of(plan).flatten().tolist())
    assert counter(plan, in_place=in_place) == oracle.count(run)


@RANDOM
@given(networks())
def test_oracle_and_torch_run_the_same_network(plan: Plan) -> None:
    """Else the two would agree on the cost of different things."""
    run = oracle.Run(plan, image_of(plan).flatten().tolist())
    outputs = outputs_of(Module(plan), image_of(plan))
    for output, expected in zip(outputs, run.outputs, strict=True):
        assert output.flatten().tolist() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@RANDOM
@given(networks())
def test_edges_that_are_not_live_can_all_go_at_once(plan: Plan) -> None:
    """The output stays the same to the last bit, and what was live is still live."""
    live = counter(plan).live
    slim = without_dead_edges(plan, live)
    images = image_of(plan, batch=2)
    before, after = outputs_of(Module(plan), images), outputs_of(Module(slim), images)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert counter(slim).live == live


@RANDOM
@given(networks(positive=True))
def test_no_live_edge_can_go(plan: Plan) -> None:
    """Where neither sums nor ReLUs cancel, the output depends on every single live edge."""
    module, images = Module(plan), image_of(plan)
    before = outputs_of(module, images)
    for name, edges in counter(plan).live.items():
        weight = module.get_parameter(name).detach().view(-1)
        for edge in edges:
            kept = weight[edge].item()
            weight[edge] = 0
            after = outputs_of(module, images)
            weight[edge] = kept
            changed = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
            assert any(changed), f"{name}[{edge}] is counted and does nothing"
