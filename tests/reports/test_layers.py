"""Layers and stages add up to the totals, also those of the receipts that this project keeps."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from micronet.errors import MicronetError
from micronet.reports.layers import layers_table, stage_names, stages_table
from micronet.reports.waterfall import number, scored_waterfall, stated_waterfall
from tests.reports.by_hand import BITS, committed, document, material, operations, score

if TYPE_CHECKING:
    from pathlib import Path

    from micronet.reports.table import Table

KEPT = ("mnv1_582M", "resnet50_dnw_10")


def sums(table: Table) -> list[Fraction]:
    """Of every column with a total, the sum of the rows less the total."""
    assert table.total is not None
    places = [
        p for p, cell in enumerate(table.total.cells) if isinstance(cell.value, int | Fraction)
    ]
    found = []
    for place in places:
        values = [row.cells[place].value for row in table.rows]
        numbers = [Fraction(value) for value in values if isinstance(value, int | Fraction)]
        found.append(sum(numbers, Fraction(0)) - Fraction(table.total.cells[place].value or 0))
    return found


@pytest.mark.parametrize("name", KEPT)
def test_the_kept_receipts_add_up(tmp_path: Path, name: str) -> None:
    [network] = material(tmp_path, committed(f"{name}.micronet2019")).networks
    layers, stages = layers_table(network.receipt), stages_table(network)
    assert sums(layers) == [0] * 8
    assert sums(stages) == [0] * 5
    assert len(layers.rows) == len(network.receipt.document["layers"])


def test_the_layers_of_a_network_by_hand(tmp_path: Path) -> None:
    [network] = material(tmp_path, document()).networks
    table = layers_table(network.receipt)
    keys = [column.key for column in table.columns]
    conv, relu, *_ = (
        dict(zip(keys, (c.value for c in row.cells), strict=True)) for row in table.rows
    )
    assert (conv["weight_shape"], conv["live_values"], conv["operations"]) == (
        "8×3×3×3",
        100,
        142_000,
    )
    assert (relu["live_values"], relu["other_operations"]) == ("", 8000)  # blank: it has no weight
    assert table.total is not None
    total = dict(zip(keys, (c.value for c in table.total.cells), strict=True))
    assert (total["operations"], total["storage_bits"]) == (operations(1000), BITS)


def test_the_stages_of_a_network_by_hand(tmp_path: Path) -> None:
    [network] = material(tmp_path, document()).networks
    table = stages_table(network)
    assert [row.cells[0].value for row in table.rows] == [
        "stem",
        "classifier",
        "(biases, norms, tables)",
    ]
    assert table.total is not None
    assert table.total.cells[-1].value == score(1000)


def test_a_module_that_is_most_of_the_network_is_opened() -> None:
    names = ["conv1", "layers.0", "layers.1.norm.0", "layers.1.norm.1", "fc"]
    assert stage_names(names) == ["conv1", "layers.0", "layers.1", "layers.1", "fc"]
    assert stage_names(["a.0", "a.1", "b.0", "b.1"]) == ["a", "a", "b", "b"]


def test_the_waterfall_of_the_dnw_entry_leads_from_its_claim_to_the_recount(tmp_path: Path) -> None:
    [network] = material(tmp_path, committed("resnet50_dnw_10.micronet2019")).networks
    table = scored_waterfall(network)
    assert table is not None
    assert sums(table) == [0, 0, 0]
    first = table.rows[0].cells
    # (2,558,732 / 6.9 M) / 2 + 515,231,310 × 1.5 / 1170 M
    claimed = Fraction(2_558_732, 2 * 6_900_000) + Fraction(515_231_310 * 3, 2 * 1_170_000_000)
    assert first[-1].value == claimed
    assert table.total is not None
    assert table.total.cells[-1].value == network.receipt.score(network.track).total


def test_a_waterfall_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    steps = [{"name": "as claimed", "parameters": 1, "operations": 1, "score": 0}]
    [network] = material(tmp_path, document(waterfall=steps)).networks
    with pytest.raises(MicronetError, match="add up to 1, the total is"):
        scored_waterfall(network)


def test_a_waterfall_of_an_audit_may_have_ratios() -> None:
    steps = [
        {"name": "as claimed", "parameters": "1/3", "operations": 1, "score": 0.5},
        {"name": "more", "parameters": "2/3", "operations": 2, "score": 0.25},
    ]
    table = stated_waterfall("x", "X", steps)
    assert table.total is not None
    assert [cell.value for cell in table.total.cells[1:]] == [1, 3, Fraction(3, 4)]


@pytest.mark.parametrize("value", ["many", "1/0", [1], float("nan"), float("inf"), 10**30])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(MicronetError):
        number(value)  # type: ignore[arg-type]
