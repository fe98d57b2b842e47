"""Node-major networks give the outputs and gradients of the plain ones.

Both round. The measure is the plain network in float64: the node-major one may be at most three
times as far from it as the plain one in float32 is, or 1e-6 of the largest gradient of the network
where both are so near that the quotient is chance.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import torch
import torch.nn.functional as F

from micronet.training.network import trainable
from micronet.training.nodes.networks import node_major

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

    from micronet.training.gates import Gates

TINY = {"dim": 332, "edges": 1500, "steps": 4}
MOBILE = {"density": 0.1, "classes": 10, "image_size": 32}
SPARSE = {**MOBILE, "classifier": "sparse"}
DENSE = {**MOBILE, "density": 1.0}

# architecture, settings, side of the images, images in a batch
CASES: dict[str, tuple[str, Mapping[str, Any], int, int]] = {
    "tiny static, one image": ("tiny_static", TINY, 32, 1),
    "tiny static, eight": ("tiny_static", TINY, 32, 8),
    "tiny static, eleven": ("tiny_static", TINY, 32, 11),
    "tiny static, the paper's": ("tiny_static", {}, 32, 5),
    "mobilenet, nine": ("mobilenetv1_dnw", MOBILE, 32, 9),
    "mobilenet, other sides": ("mobilenetv1_dnw", MOBILE, 24, 3),
    "mobilenet, sparse classifier": ("mobilenetv1_dnw", SPARSE, 16, 4),
    "mobilenet, many edges": ("mobilenetv1_dnw", DENSE, 16, 4),
}


def results(
    network: nn.Module, forward: Callable[[Tensor], Tensor], images: Tensor
) -> dict[str, Tensor]:
    """Outputs, gradients and running statistics of one batch, in float64."""
    labels = torch.arange(len(images)) % 10
    network.zero_grad()
    outputs = forward(images)
    F.cross_entropy(outputs, labels).backward()
    gradients = {f"d{n}": p.grad for n, p in network.named_parameters() if p.grad is not None}
    running = {n: b for n, b in network.state_dict().items() if "running" in n}
    found = {"outputs": outputs.detach(), **gradients, **running}
    return {name: tensor.double().clone() for name, tensor in found.items()}


def follow(gates: Gates) -> None:
    """DNW: every legal edge learns."""
    gates.choose_largest()


def held(gates: Gates) -> None:
    """Only edges that are kept learn."""
    gates.choose_largest()
    for member in gates:
        member.gate.all_learn = False


@pytest.mark.parametrize("rule", [follow, held])
@pytest.mark.parametrize(("architecture", "config", "side", "count"), CASES.values(), ids=CASES)
def test_outputs_gradients_and_statistics_agree(
    architecture: str,
    config: Mapping[str, Any],
    side: int,
    count: int,
    rule: Callable[[Gates], None],
) -> None:
    network, gates = trainable(architecture, config, seed=3)
    rule(gates)
    images = torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(4))
    exactly, plainly = copy.deepcopy(network).double(), copy.deepcopy(network)
    fast = node_major(network)
    assert fast is not None

    exact = results(exactly, exactly, images.double())
    plain = results(plainly, plainly, images)
    found = results(network, fast, images)

    assert found.keys() == plain.keys() == exact.keys()
    largest = max(float(exact[name].norm()) for name in exact if name.startswith("d"))
    for name, truth in exact.items():
        off, allowed = (float((each[name] - truth).norm()) for each in (found, plain))
        assert off <= max(3 * allowed, 1e-6 * largest), (name, off, allowed)


def test_the_same_batch_gives_the_same_bits() -> None:
    network, gates = trainable("tiny_static", TINY, seed=3)
    gates.follow_largest()
    images = torch.randn(20, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    fast = node_major(network)
    assert fast is not None
    state = {n: b.clone() for n, b in network.state_dict().items()}
    one = results(network, fast, images)
    network.load_state_dict(state)
    other = results(network, fast, images)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_network_without_gates_is_computed_too() -> None:
    from micronet.models import build_model

    network = build_model("tiny_static", TINY).train()
    images = torch.randn(3, 3, 32, 32)
    fast = node_major(network)
    assert fast is not None
    torch.testing.assert_close(fast(images), network(images))


def test_other_networks_are_computed_as_they_are() -> None:
    assert node_major(torch.nn.Linear(2, 2)) is None
