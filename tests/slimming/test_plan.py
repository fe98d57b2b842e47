"""What is dead, what is never read, and whether computed weights follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from torch import Tensor, nn

from micronet.models import InputSpec
from micronet.slimming.apply import without_edges
from micronet.slimming.bill import bill_of
from micronet.slimming.plan import Plan, make_plan
from micronet.slimming.verify import network_of, verified
from tests.scoring.oracle_module import Module
from tests.scoring.oracle_random import networks

if TYPE_CHECKING:
    from tests.scoring.oracle_nodes import Network as Nodes


def plan_of(model: nn.Module, *shape: int) -> Plan:
    inputs = InputSpec(shape)
    network = network_of(model, inputs)
    return verified(model, inputs, network, make_plan(model, network))


@settings(
    database=None,
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=list(HealthCheck),
)
@given(networks())
def test_dead_edges_go_and_nothing_else_changes(nodes: Nodes) -> None:
    """Outputs stay bit for bit, every operator costs the same, and no dead edge is left."""
    shape = (1, *nodes.shapes()[0])
    model = Module(nodes)
    before = network_of(model, InputSpec(shape))
    slim = without_edges(model, make_plan(model, before).dead)
    was, now = bill_of(before, model), bill_of(network_of(slim, InputSpec(shape)), slim)
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        want, have = model.double()(image), slim.double()(image)
    assert all(torch.equal(a, b) for a, b in zip(want, have, strict=True))
    assert now.operations == was.operations
    assert now.dearer_than(was) == []
    assert now.active == now.live == was.live


class Chain(nn.Module):
    """Three layers 2 → 2 → 2 → 2; ``weight`` is how forward makes the middle weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 2, bias=False)
        self.middle = nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        self.last = nn.Linear(2, 2, bias=False)
        self.register_buffer("mask", torch.tensor([[1.0, 1.0], [1.0, 0.0]]))
        with torch.no_grad():
            self.first.weight.copy_(torch.tensor([[1.0, 1.0], [0.0, 0.0]]))  # node 1 is never fed
            self.last.weight.copy_(torch.eye(2))

    def weight(self) -> Tensor:
        return self.middle

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.last(F.linear(self.first(x), self.weight()))
        return result


class Masked(Chain):
    def weight(self) -> Tensor:
        return self.middle * cast("Tensor", self.mask)


class Ranked(Chain):
    """Keeps the two largest, 3 and 4."""

    def weight(self) -> Tensor:
        least = self.middle.flatten().topk(2).values.min()
        return self.middle * (self.middle >= least)


class Normalised(Chain):
    def weight(self) -> Tensor:
        return self.middle / self.middle.square().sum()


class Transposed(Chain):
    """Element [i, j] of the parameter is edge [j, i]: shapes alone would mislead."""

    def weight(self) -> Tensor:
        return self.middle @ torch.tensor([[0.0, 1.0], [1.0, 0.0]])


class ReadTwice(Chain):
    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = super().forward(x) * self.middle.sum()
        return result


class ReadByElements(Chain):
    """A multiple of the weight meets node 1 as well, but each of its numbers hangs on all others."""

    def forward(self, x: Tensor) -> Tensor:
        share = self.middle / self.middle.square().sum()
        result: Tensor = super().forward(x) + (self.first(x)[:, None, :] * share).sum(2)
        return result


DEAD = {
    "a parameter": (Chain(), [[False, True], [False, True]]),
    "a masked one": (Masked(), [[False, True], [False, True]]),  # 4 is masked, so it is zero too
    "a ranked one": (Ranked(), [[True, True], [False, True]]),  # 1 and 2 are not kept
    "a normalised one": (Normalised(), None),
    "columns changed places": (Transposed(), None),
    "read elsewhere too": (ReadTwice(), None),
    "read element by element": (ReadByElements(), None),
}


@pytest.mark.parametrize(("model", "dead"), DEAD.values(), ids=DEAD.keys())
def test_what_becomes_zero(model: nn.Module, dead: list[list[bool]] | None) -> None:
    """Node 1 of the first layer is never fed: the middle weight's column 1 is dead."""
    found = plan_of(model.eval(), 1, 2).dead.get("middle")
    assert (None if found is None else found.tolist()) == dead


def test_the_model_is_left_as_it_was() -> None:
    model = Chain().eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    without_edges(model, plan_of(model, 1, 2).dead)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_tensors_that_forward_never_looks_at() -> None:
    """The mask of the plain chain; a tied twin of a weight that is read is read."""
    model = Chain()
    model.twin = nn.Linear(2, 2, bias=False)
    model.twin.weight = model.first.weight
    model.idle = nn.Linear(3, 3)
    assert plan_of(model.eval(), 1, 2).unread == ("mask", "idle.weight", "idle.bias")
