"""The edges that gates keep are those that the counter finds: with gates, and in a plain file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import torch
import torchvision
from torch import nn

import micronet
from micronet.wiring import kept_edges

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Case:
    """A network, the entries of its sparse weights, and the sum of a tenth of each, rounded up."""

    name: str
    entries: int
    kept: int
    keep_dense: tuple[str, ...] = ()


NETWORKS = [
    pytest.param(Case("mobilenet_v2", 3_469_760, 346_994), id="mobilenet_v2"),
    pytest.param(
        Case("resnet50", 25_493_504, 2_549_377, ("conv1",)), id="resnet50", marks=pytest.mark.slow
    ),
    pytest.param(Case("vit_b_16", 86_292_480, 8_629_275), id="vit_b_16", marks=pytest.mark.slow),
]


def active(document: Mapping[str, Any]) -> dict[str, int]:
    """Active edges of each weight in the layer table, by the weight's name in the plain network."""
    return {
        row["weight"].replace("parametrizations.", "").removesuffix(".original"): row["active"]
        for row in document["layers"]
        if row["stored"]
    }


def scored(model: nn.Module, name: str, folder: Path) -> Mapping[str, Any]:
    """What `micronet score FILE --model torchvision:NAME` says of the weights of ``model``."""
    path = folder / f"{name}.pt"
    torch.save(model.state_dict(), path)
    words = ["score", str(path), "--model", f"torchvision:{name}", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "micronet", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document: Mapping[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.parametrize("case", NETWORKS)
def test_the_counter_finds_the_edges_that_the_gates_keep(case: Case, tmp_path: Path) -> None:
    """One line for each of these networks; hardened, a process of its own scores the file."""
    torch.manual_seed(0)
    model = torchvision.models.get_model(case.name, weights=None)
    if case.name == "vit_b_16":  # its head starts at zero, and a zero is no active edge
        nn.init.normal_(model.heads.head.weight)

    gates = micronet.sparsify(model, 0.1, keep_dense=case.keep_dense)

    budgets = {m.name: kept_edges(m.weight.numel(), 0.1) for m in gates}
    assert sum(m.weight.numel() for m in gates) == case.entries
    assert {m.name: int(m.gate.kept.sum()) for m in gates} == budgets
    assert sum(budgets.values()) == gates.budget == case.kept

    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with_gates = micronet.score(model).document
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    plain = scored(micronet.harden(model), case.name, tmp_path)

    for document in (with_gates, plain):
        found = active(document)
        assert {name: found[name] for name in budgets} == budgets
        dense = sum(count for name, count in found.items() if name not in budgets)
        assert document["edges"]["active"] == case.kept + dense
    for part in ("edges", "storage", "operations"):
        assert with_gates[part] == plain[part]


def test_the_total_of_a_whole_network_is_exact_too() -> None:
    """A tenth of MobileNetV2's 3,469,760 entries, by shape or by competition."""
    for budgets in ("erk", "global"):
        model = torchvision.models.mobilenet_v2(weights=None)
        assert micronet.sparsify(model, 0.1, budgets=budgets).kept == 346_976
