"""The counter against the oracle, number by number, on random networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import HealthCheck, given, settings

from micronet.scoring.rulebook import rule_book
from micronet.scoring.tally import Tally, tally
from micronet.scoring.trace import meta_input, trace
from micronet.scoring.work import Network
from tests.scoring import oracle
from tests.scoring.oracle_module import Module
from tests.scoring.oracle_random import networks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from tests.scoring.oracle_nodes import Network as Plan

RANDOM = settings(
    database=None,
    deadline=None,
    derandomize=True,
    max_examples=150,
    suppress_health_check=list(HealthCheck),
)


def counter(plan: Plan, *, in_place: bool = False) -> tuple[oracle.Counts, Tally]:
    module = Module(plan, in_place=in_place)
    network = Network(trace(module, [meta_input((1, *plan.shapes()[0]))]))
    bill = tally(network, rule_book("micronet2019"))
    roots = {t.name: t for t in bill.tensors if t.edges}
    live = {}
    for name, stored in plan.tensors.items():
        kept = torch.tensor(stored.values) != 0
        if name in roots:
            used = network.liveness.used.get(roots[name].root, torch.tensor(False))
            kept = kept if used is None else kept & used
        live[name] = frozenset(kept.nonzero().flatten().tolist() if name in roots else ())
    cost = bill.cost
    return oracle.Counts(cost.multiplications, cost.additions, cost.other, live), bill


def image_of(plan: Plan, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = plan.shapes()[0]
    return torch.rand(batch, *shape, generator=generator, dtype=torch.float64) + 0.5


@RANDOM
@given(networks())
def test_counter_equals_oracle(plan: Plan) -> None:
    run = oracle.Run(plan, image_of(plan).flatten().tolist())
    got, bill = counter(plan)
    assert got == oracle.count(run)
