"""Documents add up: rows to totals, parts to the sum, under every rule book."""

from __future__ import annotations

import json
import warnings
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

from micronet.checkpoints.target import LoadedTarget
from micronet.models import InputSpec
from micronet.scoring.api import score_target
from micronet.scoring.network import Network
from micronet.scoring.printed import exact
from micronet.scoring.rulebook import rule_books
from micronet.scoring.tally import tally
from micronet.scoring.trace import meta_input, trace
from micronet.scoring.tracks import track

# Only where values matter are there any: costs of dense networks are shapes.
NETWORKS: dict[str, tuple[int, ...]] = {
    "resnet18": (1, 3, 64, 64),
    "googlenet": (1, 3, 64, 64),
    "mobilenet_v3_small": (1, 3, 64, 64),
    "densenet121": (1, 3, 64, 64),
    "shufflenet_v2_x0_5": (1, 3, 64, 64),
    "squeezenet1_1": (1, 3, 64, 64),
    "swin_t": (1, 3, 64, 64),
    "vit_b_32": (1, 3, 224, 224),
}
WITH_VALUES = ("mobilenet_v3_small", "shufflenet_v2_x0_5", "swin_t")
# dnw-release counts DNW's own networks by their formulas, and no others.
BOOKS = sorted(set(rule_books()) - {"dnw-release"})


@cache
def network(name: str) -> tuple[nn.Module, Network]:
    from torchvision import models

    torch.manual_seed(0)
    with warnings.catch_warnings(), torch.device("cpu" if name in WITH_VALUES else "meta"):
        warnings.simplefilter("ignore")
        extra = {"init_weights": False} if name == "googlenet" else {}
        model: nn.Module = models.get_model(name, weights=None, **extra)
    return model, Network(trace(model.eval(), [meta_input(NETWORKS[name])]))


@pytest.mark.parametrize("book", BOOKS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_bill_adds_up(name: str, book: str) -> None:
    model, traced = network(name)
    learned = [(key, tensor.numel()) for key, tensor in model.named_parameters()]
    bill = tally(traced, rule_books()[book], learned)
    assert sum(bill.storage_by.values()) == bill.storage_bits
    assert all(bits > 0 for bits in bill.storage_by.values())
    rows = bill.layers
    assert sum(row.cost.multiplications for row in rows) == bill.cost.multiplications
    assert sum(row.cost.additions for row in rows) == bill.cost.additions
    assert sum(row.cost.other for row in rows) == bill.cost.other
    assert sum((row.cost.total for row in rows), Fraction(0)) == bill.cost.total
    assert all(
        min(row.cost.multiplications, row.cost.additions, row.cost.other) >= 0 for row in rows
    )
    assert 0 <= sum(row.storage_bits for row in rows) <= bill.storage_bits
    assert 0 < bill.live <= bill.active <= bill.stored
    paid = [row for row in rows if row.weight is not None and not row.shared]
    assert len({row.weight.root for row in paid if row.weight}) == len(paid)


@pytest.mark.parametrize("name", WITH_VALUES)
def test_nothing_quantised_is_found_in_networks_of_real_numbers(name: str) -> None:
    _, traced = network(name)
    bill = tally(traced, rule_books()["micronet2019"], [])
    assert [tensor.name for tensor in bill.tensors if tensor.quantised] == []
    assert bill.freebie


@pytest.mark.parametrize("name", ["densenet121", "shufflenet_v2_x0_5", "squeezenet1_1", "vit_b_32"])
def test_learned_numbers_are_the_parameters_where_all_of_them_live(name: str) -> None:
    model, traced = network(name)
    learned = [(key, tensor.numel()) for key, tensor in model.named_parameters()]
    bill = tally(traced, rule_books()["macs"], learned)
    assert bill.storage_bits == 32 * sum(tensor.numel() for tensor in model.parameters())


# --- the document ---------------------------------------------------------------------------------


def small() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 4, 1),
        nn.Flatten(),
    )
    with torch.no_grad():
        model.get_parameter("0.weight")[::2, 0] = 0
    return model


@cache
def document(book: str) -> dict[str, Any]:
    loaded = LoadedTarget(
        "small", None, None, "small", {}, "unknown", small(), InputSpec((1, 3, 6, 6)), None, ()
    )
    return score_target(loaded, rules=book)


@pytest.mark.parametrize("book", BOOKS)
def test_rows_of_a_document_add_up_to_its_totals(book: str) -> None:
    found = document(book)
    rows, operations = found["layers"], found["operations"]
    for key in ("multiplications", "additions", "other", "total"):
        assert sum(row[key] for row in rows) == operations[key]
    assert sum(row["storage_bits"] for row in rows) == found["storage"]["bits"]
    assert sum(found["storage"]["by"].values()) == found["storage"]["bits"]
    assert found["storage"]["parameters"] == found["storage"]["bits"] / 32
    for key in ("stored", "active", "live"):
        assert sum(row[key] for row in rows) == found["edges"][key]
    assert operations["unweighted"] == sum(
        operations[key] for key in ("multiplications", "additions", "other")
    )


def test_a_document_survives_json_exactly() -> None:
    found = document("micronet2019")
    assert json.loads(json.dumps(found)) == found


def test_the_challenge_document_by_hand() -> None:
    """4×4 positions. First: 216 − 4 · 9 = 180 edges, whole kernels masked (8 · 3); second: 32 edges."""
    found = document("micronet2019")
    assert found["storage"]["by"] == {
        "values": 16 * (180 + 32),
        "bitmask": 8 * 3,
        "normalisation": 16 * 8,
        "bias": 16 * 4,
    }
    assert found["edges"] == {"stored": 248, "active": 212, "live": 212}
    products = 16 * (180 + 32)
    additions = 16 * (180 - 8 + 8) + 16 * (32 - 4 + 4)  # n − 1 a row, and one for each bias
    other = 16 * 8  # ReLU
    assert found["operations"] == {
        "multiplications": products,
        "additions": additions,
        "other": other,
        "total": products / 2 + additions + other,
        "unweighted": products + additions + other,
    }
    assert found["score"]["total"] == pytest.approx(
        float(
            track("imagenet")
            .score(
                Fraction(found["storage"]["bits"], 32),
                Fraction(products, 2) + additions + other,
            )
            .total
        ),
        abs=0,
    )


def test_a_book_without_the_challenges_storage_has_no_score() -> None:
    assert {book for book in BOOKS if document(book)["score"] is not None} == {
        "micronet2019",
        "micronet2019-counter",
    }


@pytest.mark.parametrize(
    ("number", "expected"),
    [(Fraction(6, 2), 3), (Fraction(7, 2), 3.5), (Fraction(1, 32), 0.03125), (2**60, 2**60)],
)
def test_numbers_for_json_are_whole_where_they_can_be(number: Fraction, expected: float) -> None:
    found = exact(number)
    assert found == expected
    assert type(found) is type(expected)
