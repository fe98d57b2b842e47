"""Rows of layers: every figure that somebody's own table may state, and together the network's totals."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from micronet.audit.gather import gather
from micronet.audit.layers import layer_rows
from micronet.checkpoints.target import load_target
from micronet.scoring.network import Network
from micronet.scoring.trace import meta_input, trace

if TYPE_CHECKING:
    from typing import Any

    from micronet.audit.evidence import Evidence

PIXELS = 6 * 6


def rows(model: nn.Module, shape: tuple[int, ...] = (1, 4, 6, 6)) -> list[dict[str, Any]]:
    return layer_rows(Network(trace(model.eval(), [meta_input(shape)])))


@cache
def evidence(name: str) -> Evidence:
    return gather(load_target(None, model=f"torchvision:{name}"))


NETWORKS = ["mobilenet_v2", "resnet50", "googlenet", "squeezenet1_1", "resnext50_32x4d"]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_rows_add_up_to_the_papers_numbers(name: str) -> None:
    found = evidence(name)
    for key, dialect in (("macs", "macs"), ("macs_stored", "thop")):
        products = [
            term.count
            for count in found.counts
            if (count.dialect, count.quantity) == (dialect, "macs")
            for term in count.formula
            if term.name == "multiply-accumulates"
        ]
        assert [sum(row[key] for row in found.layers)] == products
    weights = [
        term.count
        for count in found.counts
        if (count.dialect, count.quantity) == ("macs", "parameters")
        for term in count.formula
        if term.name == "weights"
    ]
    assert [sum(row["live"] for row in found.layers if not row["shared"])] == weights


@pytest.mark.parametrize("name", NETWORKS)
def test_the_rows_add_up_to_the_challenges_storage_of_weights(name: str) -> None:
    [count] = (
        each
        for each in evidence(name).counts
        if (each.dialect, each.quantity) == ("micronet2019", "parameters")
    )
    stored = {term.name: Fraction(term.count) for term in count.formula}
    due = stored["bits of weights"] + stored.get("bits of bitmask", 0)
    assert sum(row["bits"] for row in evidence(name).layers) == due


def test_a_sparse_layer_by_hand() -> None:
    """4 → 8 channels of 3×3, half of them zero; the second layer does not read channel 0."""
    torch.manual_seed(0)
    first, second = nn.Conv2d(4, 8, 3, padding=1), nn.Conv2d(8, 4, 1, bias=False)
    first.weight.data[first.weight < 0] = 0
    second.weight.data[:, 0] = 0
    row = rows(nn.Sequential(first, second))[0]
    active = int(first.weight.count_nonzero())
    live = active - int(first.weight[0].count_nonzero())
    assert (row["stored"], row["active"], row["live"]) == (288, active, live)
    assert (row["macs_stored"], row["macs_active"], row["macs"]) == (
        288 * PIXELS,
        active * PIXELS,
        live * PIXELS,
    )
    assert row["multiplications"] == live * PIXELS
    assert row["additions"] == live * PIXELS  # one less for each of 7 channels, and its bias
    assert row["biases"] == 7 * PIXELS
    mask = 7 * 4 * 3 * 3  # of the live rows
    assert (row["bits"], row["mask_bits"]) == (16 * live + mask, mask)


def test_names_shapes_and_groups() -> None:
    model = nn.Sequential(nn.Conv2d(4, 8, 3, groups=4), nn.Flatten(), nn.Linear(8 * 16, 5))
    deep, head = rows(model)
    assert (deep["name"], deep["weight"], deep["groups"]) == ("0", "0.weight", 4)
    assert deep["weight_shape"] == [8, 1, 3, 3]
    assert (head["name"], head["groups"], head["weight_shape"]) == ("2", 1, [5, 128])
    assert (deep["weight_bits"], deep["weight_code"]) == (32, "float")


class Twice(nn.Module):
    """One layer called twice, and its weight once more by another layer."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(4, 4, 1, bias=False)
        self.other = nn.Conv2d(4, 4, 1, bias=False)
        self.other.weight = self.one.weight

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.other(torch.relu(self.one(torch.relu(self.one(x)))))
        return result


def test_a_layer_that_runs_twice_is_one_row_and_a_tied_weight_is_stored_once() -> None:
    one, other = rows(Twice())
    assert (one["macs"], other["macs"]) == (2 * 16 * PIXELS, 16 * PIXELS)
    assert (one["shared"], other["shared"]) == (False, True)
    assert (one["bits"], other["bits"]) == (16 * 16, 0)


def test_a_layer_of_few_values_has_its_width_and_code() -> None:
    """A grid of 15 levels takes 4 bits."""
    layer = nn.Conv2d(4, 8, 3, bias=False)
    layer.weight.data = (torch.arange(288) % 15 - 7).reshape(8, 4, 3, 3) / 8.0
    [row] = rows(layer)
    assert (row["weight_bits"], row["weight_levels"]) == (4, 14)  # without the zero
    assert row["weight_code"].startswith("grid")
