"""Networks computed node-major answer and learn as their own forward does."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import torch
import torch.nn.functional as F

from micronet.models import build_model
from micronet.training.network import trainable
from micronet.training.nodes.networks import node_major
from micronet.wiring import BlockShape
from tests.training.nodes.precision import assert_as_precise

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    Found = dict[str, Tensor]

CLASSES = 10


@dataclass(frozen=True)
class Case:
    """A network, and images for it. ``edges``: "free" of gates, "held" ones or the "largest"."""

    architecture: str
    config: dict[str, Any] = field(hash=False)
    images: tuple[int, int, int]
    edges: str = "largest"

    def __str__(self) -> str:
        return f"{self.architecture}-{'x'.join(map(str, self.images))}-{self.edges}"


TINY = {"dim": 332, "edges": 3000, "steps": 3}
CYCLES = {"dim": 180, "edges": 2000, "steps": 4}
FLOW = {"dim": 140, "edges": 500}
MOBILE = {"density": 0.3, "classes": CLASSES, "image_size": 32}
CASES = [
    Case("tiny_static", TINY, (1, 32, 32)),
    Case("tiny_static", TINY, (9, 32, 32), "held"),
    Case("tiny_static", TINY, (8, 32, 32), "free"),
    Case("tiny_static", {"dim": 432, "edges": 30_000, "steps": 5}, (5, 32, 32)),
    Case("tiny_discrete", CYCLES, (5, 32, 32)),
    Case("tiny_discrete", CYCLES, (8, 32, 32), "held"),
    Case("tiny_discrete", {**CYCLES, "steps": 2}, (3, 32, 32)),
    Case("tiny_continuous", FLOW, (3, 32, 32)),
    Case("mobilenetv1_dnw", MOBILE, (1, 16, 16)),
    Case("mobilenetv1_dnw", MOBILE, (8, 8, 12)),
    Case("mobilenetv1_dnw", MOBILE, (5, 9, 7), "held"),
    Case("mobilenetv1_dnw", MOBILE, (11, 6, 6), "free"),
    Case("mobilenetv1_dnw", {**MOBILE, "width": 2, "image_size": 96}, (3, 20, 20)),
]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """MobileNetV1 of three graphs: with one, three and two levels."""

    def blocks(width: int) -> tuple[BlockShape, ...]:
        plain = ((32, 24, 1, 1), (24, 20, 2, 3), (20, 40, 2, 2))
        return tuple(BlockShape(width * i, width * o, s, lv) for i, o, s, lv in plain)

    monkeypatch.setattr("micronet.models.mobilenetv1_dnw.mobilenet_blocks", blocks)


def network(case: Case) -> nn.Module:
    torch.manual_seed(0)
    if case.edges == "free":
        return build_model(case.architecture, case.config).train()
    model, gates = trainable(case.architecture, case.config, 0)
    gates.follow_largest()
    if case.edges == "held":
        gates.choose_largest()
        gates.hold()
        for member in gates:
            member.gate.all_learn = False
    return model


def images_of(case: Case) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    count, height, width = case.images
    return torch.randn(count, 3, height, width), torch.randint(CLASSES, (count,))


def two_steps(model: nn.Module, forward: Callable[[Tensor], Tensor], case: Case) -> Found:
    """Logits and gradients of the second of two batches, and what the norms remember of both."""
    images, labels = images_of(case)
    images = images.to(next(model.parameters()).dtype)
    forward(images.flip(0))
    logits = forward(images)
    F.cross_entropy(logits, labels).backward()
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    remembered = {n: b for n, b in model.named_buffers() if "running" in n or "tracked" in n}
    return {"logits": logits.detach(), **gradients, **remembered}


def by_itself(model: nn.Module, case: Case) -> Found:
    return two_steps(model, model, case)


def node_major_of(model: nn.Module, case: Case) -> Found:
    fast = node_major(model)
    assert fast is not None
    return two_steps(model, fast, case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_network_answers_and_learns_as_by_itself(case: Case) -> None:
    model = network(case)
    exact = by_itself(copy.deepcopy(model).double(), case)
    plain = by_itself(copy.deepcopy(model), case)
    assert_as_precise(node_major_of(model, case), plain, exact)


@pytest.mark.parametrize("case", [CASES[1], CASES[4], CASES[9]], ids=str)
def test_the_same_bits_again(case: Case) -> None:
    first, second = (node_major_of(network(case), case) for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize("case", [CASES[0], CASES[4], CASES[9]], ids=str)
def test_nan_is_not_lost_on_the_way(case: Case) -> None:
    model = network(case)
    with torch.no_grad():
        next(p for n, p in model.named_parameters() if "conv" in n).view(-1)[0] = torch.nan
    fast = node_major(model)
    assert fast is not None
    assert fast(images_of(case)[0]).isnan().all()


def test_evaluation_uses_what_the_norms_remember() -> None:
    case = CASES[9]
    model = network(case).eval()
    fast = node_major(model)
    assert fast is not None
    images, _ = images_of(case)
    assert torch.equal(fast(images), model(images))


def test_other_types_and_networks_are_left_to_themselves() -> None:
    assert node_major(network(CASES[0]).double()) is None
    assert node_major(torch.nn.Linear(2, 2)) is None
