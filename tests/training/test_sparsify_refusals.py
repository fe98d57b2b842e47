"""What cannot be made sparse is said in two lines, and the network stays as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import micronet
from micronet.errors import MicronetError
from micronet.training.gates import gated_weights
from tests.training.sparse_nets import Everything, Tied, everything

if TYPE_CHECKING:
    from collections.abc import Callable


def lone(layer: nn.Module) -> nn.Module:
    return nn.Sequential(layer)


def pruned() -> nn.Module:
    return lone(prune.l1_unstructured(nn.Linear(4, 4), "weight", 2))


def normed() -> nn.Module:
    return lone(parametrizations.weight_norm(nn.Linear(4, 4)))


def broken() -> nn.Module:
    layer = nn.Linear(2, 2)
    nn.init.constant_(layer.weight, float("nan"))
    return lone(layer)


NO_DENSITY = "Cannot keep a share {} of the edges.\nA density is over 0 and at most 1."
NO_WEIGHT = (
    "{} has no weight to make sparse.\n"
    "Convolutions, linear layers and attention can be, unless keep_dense names them."
)
COMPUTED = (
    "0.weight is computed from other tensors.\n"
    "Undo that (pruning, weight norm) first, or add '0' to keep_dense."
)
MASK = torch.ones(3, 8, dtype=torch.bool)


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature:UserWarning")
@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        pytest.param(everything, {"density": 0.0}, NO_DENSITY.format(0.0), id="no density"),
        pytest.param(everything, {"density": 1.5}, NO_DENSITY.format(1.5), id="too dense"),
        pytest.param(everything, {"density": -0.1}, NO_DENSITY.format(-0.1), id="negative"),
        pytest.param(
            everything, {"density": float("nan")}, NO_DENSITY.format("nan"), id="not a number"
        ),
        pytest.param(everything, {"density": True}, NO_DENSITY.format("True"), id="a truth value"),
        pytest.param(
            everything,
            {"budgets": "uniform"},
            "There are no budgets 'uniform'.\nUse one of layer, erk, global.",
            id="other budgets",
        ),
        pytest.param(
            everything,
            {"keep_dense": ["head", "conv_"]},
            "keep_dense: nothing in the network is called 'conv_'.\nDid you mean 'conv'?",
            id="a slip in a name",
        ),
        pytest.param(
            everything,
            {"keep_dense": ["layer*.downsample"]},
            "keep_dense: nothing in the network is called 'layer*.downsample'.\n"
            "model.named_modules() has the names.",
            id="a pattern that fits nothing",
        ),
        pytest.param(
            everything, {"keep_dense": ["*"]}, NO_WEIGHT.format("Everything"), id="all dense"
        ),
        pytest.param(
            lambda: nn.Embedding(3, 3), {}, NO_WEIGHT.format("Embedding"), id="nothing to gate"
        ),
        pytest.param(
            everything,
            {"legal": {"head.weight": MASK.mT}},
            "legal: found torch.bool [8, 3] for head.weight.\nGive torch.bool [3, 8].",
            id="a mask of another shape",
        ),
        pytest.param(
            everything,
            {"legal": {"head.weight": MASK.float()}},
            "legal: found torch.float32 [3, 8] for head.weight.\nGive torch.bool [3, 8].",
            id="a mask of numbers",
        ),
        pytest.param(
            everything,
            {"legal": {"head.weights": MASK}},
            "legal: no weight that gets a gate is called 'head.weights'.\n"
            "Did you mean 'head.weight'?",
            id="a mask for nothing",
        ),
        pytest.param(
            lambda: Tied(embedded=True),
            {},
            "out.weight is also embed.weight, which stays dense.\nAdd 'out' to keep_dense.",
            id="an embedding's weight",
        ),
        pytest.param(
            Tied,
            {"keep_dense": ["two"]},
            "one.weight is also two.weight, which stays dense.\nAdd 'one' to keep_dense.",
            id="half of a tie kept dense",
        ),
        pytest.param(pruned, {}, COMPUTED, id="pruned"),
        pytest.param(normed, {}, COMPUTED, id="weight norm"),
        pytest.param(
            lambda: lone(nn.LazyLinear(3)),
            {},
            "0.weight has no shape yet.\n"
            "Run a batch through the network first, or add '0' to keep_dense.",
            id="lazy",
        ),
        pytest.param(
            lambda: lone(nn.Linear(2, 2, device="meta")),
            {},
            "0.weight is on the meta device and has no values.\n"
            "Load weights first, or add '0' to keep_dense.",
            id="meta",
        ),
        pytest.param(
            broken,
            {},
            "0.weight has NaN values, which cannot be ranked.\n"
            "Load other weights, or add '0' to keep_dense.",
            id="diverged",
        ),
    ],
)
def test_what_cannot_be_done_is_said_and_the_network_stays_as_it_was(
    make: Callable[[], nn.Module], options: dict[str, Any], message: str
) -> None:
    model = make()
    before = {name: id(parameter) for name, parameter in model.named_parameters()}
    with pytest.raises(MicronetError) as refusal:
        micronet.sparsify(model, **options)
    assert str(refusal.value) == message
    assert {name: id(parameter) for name, parameter in model.named_parameters()} == before
    assert next(gated_weights(model), None) is None


def test_a_network_is_made_sparse_once() -> None:
    model = everything()
    gates = micronet.sparsify(model, 0.25)
    with pytest.raises(MicronetError) as refusal:
        micronet.sparsify(model, 0.1, keep_dense=["head"])
    assert str(refusal.value) == (
        "Everything has gates already.\n"
        "Take them off by micronet.harden(model), or sparsify a fresh network."
    )
    assert gates.kept == gates.budget == 186
    assert micronet.sparsify(micronet.harden(model), 0.1).kept == 80


@pytest.mark.parametrize("make", [Everything, normed])
def test_only_gates_can_be_hardened(make: Callable[[], nn.Module]) -> None:
    model = make()
    with pytest.raises(MicronetError) as refusal:
        micronet.harden(model)
    assert str(refusal.value) == (
        f"{type(model).__name__} has no gates.\nmicronet.sparsify(model) puts them on."
    )
