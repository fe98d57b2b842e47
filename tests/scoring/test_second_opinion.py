"""fvcore and thop beside our count: ours + every named difference = their total, to the unit."""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune
from torchvision import models

from micronet.models import InputSpec
from micronet.scoring.network import Network
from micronet.scoring.peers import twin_of
from micronet.scoring.second_opinion import second_opinion
from micronet.scoring.trace import meta_input, trace
from tests.scoring.small import Run, Shape, weight

Opinion = dict[str, Any]
Named = dict[str, tuple[int, int]]


def opinions(model: nn.Module, shape: Shape, dtype: Any = "float32") -> dict[str, Opinion]:
    network = Network(trace(model, [meta_input(shape, dtype)]))
    return {each["tool"]: each for each in second_opinion(model, InputSpec(shape, dtype), network)}


def named(opinion: Opinion) -> Named:
    """Differences as {name: (count, each)}, once it is sure that they add up."""
    parts = opinion["difference"]
    assert all(part["amount"] == part["count"] * part["each"] for part in parts)
    assert opinion["ours"] + sum(part["amount"] for part in parts) == opinion["total"]
    return {part["name"]: (part["count"], part["each"]) for part in parts}


def test_mobilenet_v2_differs_by_its_batch_norms() -> None:
    with torch.device("meta"):
        model = models.mobilenet_v2(weights=None).eval()
    found = opinions(model, (1, 3, 224, 224))
    assert [found[tool]["ours"] for tool in ("fvcore", "thop")] == [300_774_272] * 2
    assert named(found["fvcore"]) == {
        "BatchNorm elements": (6_678_112, 2),
        "inputs of adaptive average pool": (1280 * 7 * 7, 1),
    }
    assert named(found["thop"]) == {"BatchNorm elements": (6_678_112, 4)}
    assert {key for key in found["fvcore"] if key != "difference"} == {
        "tool",
        "version",
        "total",
        "ours",
    }


# 5 tokens of 8, 2 heads of 4, 16 hidden: projections 4·5·8·8, attention 2·2·5·5·4, MLP 2·5·8·16.
ENCODER = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
LSTM = nn.LSTM(8, 16)
CASES: dict[str, tuple[nn.Module, Shape, int, Named, Named]] = {
    "nothing to say": (nn.Conv2d(3, 4, 3), (1, 3, 5, 5), 9 * 4 * 27, {}, {}),
    "attention": (
        ENCODER,
        (1, 5, 8),
        1280 + 400 + 1280,
        {
            "LayerNorm elements": (2 * 5 * 8, 5),
            "products inside scaled_dot_product_attention (not seen)": (400, -1),
        },
        {
            "LayerNorm elements": (2 * 5 * 8, 4),
            "products in MultiheadAttention, which thop does not hook": (1680, -1),
        },
    ),
    "norms without scale and shift": (
        nn.Sequential(nn.BatchNorm2d(4, affine=False), nn.GroupNorm(2, 4, affine=False)),
        (1, 4, 5, 5),
        0,
        {
            "BatchNorm elements without scale and shift": (100, 1),
            "GroupNorm elements without scale and shift": (100, 4),
        },
        {"BatchNorm elements without scale and shift": (100, 2)},
    ),
    "softmax and pooling": (
        nn.Sequential(nn.AvgPool2d(2), nn.Softmax(-1)),
        (1, 4, 6, 6),
        0,
        {},
        {"averages of pooling": (36, 1), "softmax elements": (36, 3), "rows of softmax": (12, -1)},
    ),
    # thop: (8 + 16)·16 + 16 + 2·16 a gate and 4·16 more, 2 · 5 times
    "LSTM": (
        LSTM,
        (5, 2, 8),
        10 * 4 * 16 * 24,
        {"products inside lstm (not seen)": (15_360, -1)},
        {
            "products in LSTM, which thop prices by a formula of its own": (15_360, -1),
            "LSTM by thop's formula": (10 * (4 * (24 * 16 + 16 + 32) + 64), 1),
        },
    ),
    # thop: 6 · 11 · 11 outputs, 4 inputs, 9 taps
    "transposed convolution": (
        nn.Sequential(nn.ConvTranspose2d(4, 6, 3, 2)),
        (2, 4, 5, 5),
        2 * 25 * 24 * 9,
        {},
        {
            "products in ConvTranspose2d, which thop prices by a formula of its own": (10_800, -1),
            "ConvTranspose2d by thop's formula": (2 * 726 * 36, 1),
        },
    ),
    "functional": (
        Run(lambda s, x: F.linear(x, s.w), w=weight(16, 8)),
        (5, 8),
        640,
        {},
        {"products in Run, which thop does not hook": (640, -1)},
    ),
    "matrix · vector": (
        Run(lambda s, x: torch.mv(s.w, x), w=weight(5, 8)),
        (8,),
        40,
        {"products of mv (not seen)": (40, -1)},
        {"products in Run, which thop does not hook": (40, -1)},
    ),
    # i·j·k·l = 7·11·13·17 = 17,017 products; numpy prints 2 · 17,017 + 1 as 3.404e+04
    "einsum": (
        Run(lambda s, x: torch.einsum("ijk,kl->ijl", x, s.w), w=weight(13, 17)),
        (7, 11, 13),
        17_017,
        {"einsum, read from a text of four digits": (17_020 - 17_017, 1)},
        {"products in Run, which thop does not hook": (17_017, -1)},
    ),
    # No sum, so no product of ours: numpy prints 3 · 4 + 1 operations.
    "outer product by einsum": (
        Run(lambda s, x: torch.einsum("i,j->ij", x, s.w), w=weight(4)),
        (3,),
        0,
        {"einsum, read from a text of four digits": (13 // 2, 1)},
        {},
    ),
    # A layer that reads constants only: its result is the same for every input.
    "constant": (
        Run(lambda s, x: x + s.f(torch.ones(3, 8)), f=nn.Linear(8, 8)),
        (3, 8),
        0,
        {"products of layers whose input is constant": (3 * 64, 1)},
        {"products of layers whose input is constant": (3 * 64, 1)},
    ),
    "constant at first": (
        Run(lambda s, x: s.f(x + s.f(torch.ones(3, 8))), f=nn.Linear(8, 8)),
        (3, 8),
        3 * 64,
        {"products of layers whose input is constant": (3 * 64, 1)},
        {"products of layers whose input is constant": (3 * 64, 1)},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_difference_has_a_name(name: str) -> None:
    model, shape, ours, fvcore, thop = CASES[name]
    found = opinions(model.eval(), shape)
    assert [found[tool]["ours"] for tool in ("fvcore", "thop")] == [ours, ours]
    assert named(found["fvcore"]) == fvcore
    assert named(found["thop"]) == thop


class Linear(nn.Linear):
    """Called like the layer that thop has a rule for, and no such layer: thop counts it as 0."""


def test_what_no_rule_explains_is_shown() -> None:
    found = opinions(nn.Sequential(nn.Linear(8, 4), Linear(4, 2)), (1, 8))
    assert named(found["thop"]) == {"unexplained": (-8, 1)}
    assert named(found["fvcore"]) == {}


def test_a_changed_formula_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    flop_count = import_module("fvcore.nn.flop_count")
    jit_handles = import_module("fvcore.nn.jit_handles")
    twice = jit_handles.elementwise_flop_counter(2, 0)
    monkeypatch.setitem(flop_count._DEFAULT_SUPPORTED_OPS, "aten::tanh", twice)
    found = opinions(nn.Sequential(nn.Linear(8, 4), nn.Tanh()), (1, 8))
    assert named(found["fvcore"]) == {"unexplained": (2 * 4, 1)}


def test_zeros_of_a_sparse_network_are_counted_by_everyone() -> None:
    model = nn.Linear(8, 4)
    model.weight.data[:, ::2] = 0
    found = opinions(model, (1, 8))
    assert [(each["ours"], each["total"]) for each in found.values()] == [(32, 32)] * 2


def test_token_numbers_are_an_input_too() -> None:
    model = nn.Sequential(nn.Embedding(50, 8), nn.Linear(8, 50))
    found = opinions(model, (3, 2), "int64")
    assert [named(each) for each in found.values()] == [{}, {}]


@pytest.mark.parametrize("prepare", ["real", "meta", "pruned", "frozen", "training"])
def test_the_model_is_never_touched(prepare: str, capsys: pytest.CaptureFixture[str]) -> None:
    with torch.device("meta" if prepare == "meta" else "cpu"):
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout())
    if prepare == "pruned":
        prune.random_unstructured(model[0], "weight", 0.5)
    model.requires_grad_(prepare != "frozen").train(prepare == "training")
    keys, parts = list(model.state_dict()), [list(vars(m)) for m in model.modules()]
    hooks = [[*m._forward_hooks, *m._forward_pre_hooks] for m in model.modules()]
    tensors = {name: id(t) for name, t in model.state_dict(keep_vars=True).items()}
    numbers, handlers = torch.get_rng_state(), list(logging.getLogger().handlers)
    found = opinions(model, (1, 3, 5, 5))
    assert named(found["thop"]) == {"BatchNorm elements": (36, 4)}
    assert list(model.state_dict()) == keys
    assert {name: id(t) for name, t in model.state_dict(keep_vars=True).items()} == tensors
    assert [list(vars(m)) for m in model.modules()] == parts
    assert [[*m._forward_hooks, *m._forward_pre_hooks] for m in model.modules()] == hooks
    assert model.training == (prepare == "training")
    assert torch.equal(torch.get_rng_state(), numbers)
    assert logging.getLogger().handlers == handlers
    assert logging.getLogger().manager.disable == 0
    assert capsys.readouterr() == ("", "")


def test_the_twin_of_a_network_without_memory_has_some() -> None:
    with torch.device("meta"):
        model = nn.BatchNorm2d(4)
    twin = twin_of(model)
    assert [t.device.type for t in twin.state_dict().values()] == ["cpu"] * 5
    assert model.weight.is_meta


def notes(model: nn.Module, shape: Shape) -> dict[str, str]:
    return {tool: each["note"] for tool, each in opinions(model, shape).items() if "note" in each}


def test_a_missing_tool_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fvcore.nn", None)
    assert notes(nn.Linear(8, 4), (1, 8)) == {
        "fvcore": "no second opinion from fvcore: fvcore cannot be imported "
        "(import of fvcore.nn halted; None in sys.modules). pip install fvcore"
    }


def test_thop_without_distutils_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "thop"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "distutils", None)
    monkeypatch.setitem(sys.modules, "distutils.version", None)
    assert notes(nn.Linear(8, 4), (1, 8)) == {
        "thop": "no second opinion from thop: thop needs distutils, "
        "which this Python has only with setuptools. pip install setuptools"
    }


def test_a_tool_that_crashes_is_a_note() -> None:
    # A matrix times a vector written with @: fvcore reads the second-last dimension of the vector.
    model = Run(lambda s, x: s.w @ x, w=weight(5, 8))
    assert notes(model, (8,)) == {
        "fvcore": "no second opinion from fvcore: fvcore fails on this network: "
        "list index out of range"
    }


def refuse_copies(_: object, __: object) -> nn.Module:
    message = "one of a kind"
    raise TypeError(message)


def test_a_model_that_cannot_be_copied_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.Linear, "__deepcopy__", refuse_copies, raising=False)
    said = "a copy of the model fails on this network: one of a kind"
    assert notes(nn.Linear(8, 4), (1, 8)) == {
        tool: f"no second opinion from {tool}: {said}" for tool in ("fvcore", "thop")
    }
