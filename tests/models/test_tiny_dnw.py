"""The tiny classifiers: 41k parameters, and the static one evaluated node by node."""

from __future__ import annotations

import sys

import pytest
import torch
import torch.nn.functional as F

from micronet.errors import MicronetError
from micronet.models import build_model
from micronet.models.edges import Edges
from micronet.models.tiny_dnw import TinyStatic
from micronet.wiring import legal_tiny_edges

GRAPHS = {
    "tiny_static": "graph",
    "tiny_discrete": "graph",
    "tiny_continuous": "odesolve.odefunc.graph",
}


@pytest.mark.parametrize("wiring", ["dnw", "random"])
@pytest.mark.parametrize("architecture", GRAPHS)
def test_fresh_classifier_keeps_32000_edges_and_runs(architecture: str, wiring: str) -> None:
    if architecture == "tiny_continuous":
        pytest.importorskip("torchdiffeq")
    torch.manual_seed(0)
    model = build_model(architecture, {"wiring": wiring}).eval()
    graph = model.get_submodule(GRAPHS[architecture])

    with torch.no_grad():
        logits = model(torch.randn(2, 3, 32, 32))

    assert isinstance(graph, Edges)
    assert int(graph.edge_weights().count_nonzero()) == 32_000
    assert logits.shape == (2, 10)
    assert bool(logits.isfinite().all())


def test_41k_parameters_without_norms() -> None:
    """32,000 edges + 800 · 9 nodes + downsample 448 + 160 + 544 + classifier 1,010."""
    model = build_model("tiny_discrete", {})
    norms = ("norm", "downsample.1.", "downsample.5.")
    counted = sum(
        int(weight.count_nonzero()) if name == "graph.weight" else weight.numel()
        for name, weight in model.named_parameters()
        if not name.startswith(norms)
    )

    assert counted == 32_000 + 7_200 + (448 + 160 + 544) + 1_010 == 41_362


def test_static_edges_are_legal() -> None:
    edges = build_model("tiny_static", {}).get_parameter("graph.weight").flatten(1) != 0

    assert not bool((edges & ~legal_tiny_edges(800, 5)).any())
    assert bool(edges.any(dim=0).all())
    assert bool(edges[32:].any(dim=1).all())


def test_static_classifier_is_the_sum_over_legal_edges() -> None:
    """Two levels of 100 nodes; the last level adds to its own nodes, the outputs."""
    torch.manual_seed(0)
    model = TinyStatic(dim=232, edges=500, steps=3).double().eval()
    model.graph.weight.data.uniform_(-1, 1)
    legal = legal_tiny_edges(232, 3)
    image = torch.randn(2, 3, 32, 32, dtype=torch.float64)

    sums = model.initial_nodes(image)
    for start, stop in ((0, 32), (32, 132), (132, 232)):
        level = sums[:, start:stop]
        centred = level - level.mean((2, 3), keepdim=True)
        scaled = centred / (level.var((2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
        nodes = F.conv2d(
            scaled.clamp(min=0), model.conv.weight[start:stop], padding=1, groups=stop - start
        )
        weight = (model.graph.weight.flatten(1) * legal)[:, start:stop]
        sums = sums + torch.einsum("ts,bshw->bthw", weight, nodes)
    pooled = sums[:, -100:, 2:4, 2:4].mean((2, 3))

    assert torch.allclose(model(image), model.fc(pooled), rtol=1e-10, atol=1e-10)


def test_continuous_time_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchdiffeq", None)
    model = build_model("tiny_continuous", {})

    with pytest.raises(MicronetError) as error:
        model(torch.zeros(1, 3, 32, 32))

    assert error.value.next_step == "pip install micronet-wirings[torchdiffeq]"
