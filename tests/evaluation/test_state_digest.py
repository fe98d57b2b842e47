"""The digest of a network's tensors: equal for equal networks, for others not."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from micronet.checkpoints.target import LoadedTarget
from micronet.evaluation.state_digest import state_sha256, target_facts
from micronet.models import InputSpec

if TYPE_CHECKING:
    from collections.abc import Callable


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def test_the_digest_by_hand() -> None:
    """Names sorted, a line of JSON each, then little-endian float32: 1.0 is 00 00 80 3f."""
    model = nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, -1.0]]))
        model.bias.copy_(torch.tensor([1.0]))
    data = b'["bias", "float32", [1]]\n' + bytes.fromhex("0000803f")
    data += b'["weight", "float32", [1, 2]]\n' + bytes.fromhex("0000803f000080bf")
    assert state_sha256(model) == hashlib.sha256(data).hexdigest()


def test_equal_networks_have_equal_digests_wherever_their_numbers_lie() -> None:
    one, two = small(), small().to(memory_format=torch.channels_last)
    assert state_sha256(one) == state_sha256(two) is not None
    tied, copies = nn.ModuleList([nn.Linear(2, 2)] * 2), nn.ModuleList([nn.Linear(2, 2)] * 2)
    copies[1] = nn.Linear(2, 2)
    for each in copies:
        each.load_state_dict(tied[0].state_dict())
    assert state_sha256(tied) == state_sha256(copies)


CHANGES: dict[str, Callable[[nn.Sequential], object]] = {
    "a weight": lambda model: model.get_parameter("3.bias").data[0].add_(1),
    "a statistic": lambda model: model.get_buffer("1.running_mean").add_(1),
    "the sign of zero": lambda model: model.get_parameter("1.bias").data.neg_(),
    "the type": lambda model: model.double(),
    "a shape": lambda model: setattr(
        model[3], "bias", nn.Parameter(model.get_parameter("3.bias")[None])
    ),
    "a name": lambda model: model.append(nn.BatchNorm2d(1)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_another_network_has_another_digest(change: Callable[[nn.Sequential], object]) -> None:
    model = small()
    change(model)
    assert state_sha256(model) not in (state_sha256(small()), None)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.bool, torch.complex64, torch.uint8])
def test_every_type_has_bytes(dtype: torch.dtype) -> None:
    model = nn.Module()
    model.register_buffer("x", torch.zeros(3, dtype=dtype))
    model.register_buffer("empty", torch.zeros(0, dtype=dtype))
    model.register_buffer("scalar", torch.ones((), dtype=dtype))
    assert state_sha256(model) is not None


def test_numbers_that_are_not_there_have_no_digest() -> None:
    assert state_sha256(small().to("meta")) is None
    sparse = nn.Module()
    sparse.register_buffer("x", torch.eye(3).to_sparse())
    assert state_sha256(sparse) is None


def test_a_receipt_says_which_network_it_was() -> None:
    model = small()
    loaded = LoadedTarget(
        "x", None, "0" * 64, "hand_made", {}, "trained", model, InputSpec((1,)), None, ()
    )
    assert target_facts(loaded) == {
        "name": "x",
        "sha256": "0" * 64,
        "state_sha256": state_sha256(model),
        "architecture": "hand_made",
        "weights": "trained",
    }
