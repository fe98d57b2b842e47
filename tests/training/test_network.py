"""What training begins with: every edge there, and the budgets that the architecture says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from micronet.models import build_model
from micronet.training.network import stored, trainable
from micronet.wiring import legal_edges, mobilenet_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

SMALL_MOBILENET = {"density": 0.1, "classes": 10, "image_size": 32}

CASES: dict[str, tuple[str, Mapping[str, Any], list[int]]] = {
    "tiny static": ("tiny_static", {}, [32_000]),
    "tiny discrete": ("tiny_discrete", {}, [32_000]),
    "tiny continuous": ("tiny_continuous", {}, [32_000]),
    # ⌈d² · MobileNet's own edges of the resolution⌉
    "mobilenet ×0.15": ("mobilenetv1_dnw", {"density": 0.15}, [47, 553, 2212, 32441, 35390]),
    "mobilenet ×0.225": ("mobilenetv1_dnw", {"density": 0.225}, [104, 1245, 4977, 72991, 79627]),
    "mobilenet ×0.3": ("mobilenetv1_dnw", {"density": 0.3}, [185, 2212, 8848, 129762, 141558]),
    "mobilenet ×0.49": ("mobilenetv1_dnw", {"density": 0.49}, [492, 5901, 23603, 346175, 377645]),
    # and of a sparse classifier d, not d²
    "small ×0.225": (
        "mobilenetv1_dnw",
        {"density": 0.225, "classifier": "sparse"},
        [104, 1245, 4977, 72991, 79627, 230_400],
    ),
    "×2 with the edges of ×1": (
        "mobilenetv1_dnw",
        {"width": 2, "density": 0.5, "classifier": "sparse"},
        [2048, 24_576, 98_304, 1_441_792, 1_572_864, 1_024_000],
    ),
}


@pytest.mark.parametrize(("architecture", "config", "budgets"), CASES.values(), ids=CASES)
def test_each_graph_keeps_what_the_paper_says(
    architecture: str, config: Mapping[str, Any], budgets: list[int]
) -> None:
    _, gates = trainable(architecture, config, seed=1)
    assert [group.budget for group in gates.groups] == budgets
    gates.choose_largest()
    assert [int(m.gate.kept.sum()) for m in gates] == budgets


def test_resnet_50_keeps_a_share_of_every_convolution_and_of_the_classifier() -> None:
    """⌈0.1 · 9,408⌉ = 941 of the first; 54 layers in all; 25,502,912 entries."""
    model, gates = trainable("resnet50_sparse", {"density": 0.1}, seed=1)
    assert len(gates.groups) == 54
    assert gates.groups[0].budget == 941
    assert sum(m.weight.numel() for m in gates) == 25_502_912
    _, without_first = trainable("resnet50_sparse", {"density": 0.1, "dense_first": True}, seed=1)
    assert len(without_first.groups) == 53
    assert model.get_submodule("fc").training


def test_edges_that_cannot_be_start_at_zero_and_are_never_kept() -> None:
    model, gates = trainable("mobilenetv1_dnw", SMALL_MOBILENET, seed=1)
    gates.choose_largest()
    for member, shape in zip(gates, mobilenet_blocks(1), strict=True):
        illegal = ~legal_edges(shape).view_as(member.weight)
        assert not member.weight[illegal].any()
        assert not member.gate.kept[illegal].any()
        drawn = member.weight[~illegal]
        assert int(drawn.count_nonzero()) > 0.999 * drawn.numel()
    assert model.training


def test_the_same_seed_gives_the_same_network_and_leaves_torchs_generator_alone() -> None:
    before = torch.random.get_rng_state()
    one, other, different = (trainable("tiny_static", {}, seed=s)[0] for s in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    names = dict(one.named_parameters())
    assert all(torch.equal(names[n], p) for n, p in other.named_parameters())
    assert not all(torch.equal(names[n], p) for n, p in different.named_parameters())


@pytest.mark.parametrize("budgets", ["graph", "erk", "global"])
def test_however_it_is_shared_out_the_total_is_the_same(budgets: str) -> None:
    total = 21 + 246 + 984 + 14_418 + 15_729  # at d = 0.1: ⌈0.01 · 2048⌉, ⌈0.01 · 24,576⌉, …
    _, gates = trainable("mobilenetv1_dnw", SMALL_MOBILENET, 1, budgets)
    gates.choose_largest()
    assert gates.budget == gates.kept == total
    assert len(gates.groups) == (1 if budgets == "global" else 5)


def test_what_is_stored_fills_the_plain_network() -> None:
    model, gates = trainable("tiny_static", {}, seed=1)
    gates.follow_largest()
    state = stored(model)
    plain = build_model("tiny_static", {})
    plain.load_state_dict(state)
    assert int((state["graph.weight"] != 0).sum()) == 32_000
    image = torch.rand(1, 3, 32, 32)
    assert torch.equal(plain.eval()(image), model.eval()(image))
