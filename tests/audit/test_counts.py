"""A network's numbers in every dialect: each is what the rule book says, and what its formula gives."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from micronet.audit.counts import counts
from micronet.audit.gather import gather
from micronet.audit.reconcile import with_scores
from micronet.checkpoints.target import load_target
from micronet.scoring.api import learned_numbers, score_target
from micronet.scoring.network import Network
from micronet.scoring.rulebook import rule_books
from micronet.scoring.trace import meta_input, trace

if TYPE_CHECKING:
    from micronet.audit.evidence import Count, Evidence

Shape = tuple[int, ...]

NETWORKS = (
    "alexnet efficientnet_b0 googlenet mobilenet_v2 mobilenet_v3_small resnet50 "
    "shufflenet_v2_x1_0 swin_v2_t vit_b_16"
).split()
CARDS = ("lstm_wikitext103", "mobilenet_v2_1.4", "wideresnet_28_10")
EVERY = [*(f"torchvision:{name}" for name in NETWORKS), *CARDS]


@cache
def evidence(name: str) -> Evidence:
    if name.startswith("torchvision:"):
        return gather(load_target(None, model=name))
    return gather(load_target(name))


def counted(model: nn.Module, shape: Shape) -> dict[tuple[str, str], Count]:
    network = Network(trace(model, [meta_input(shape)]))
    return {(c.dialect, c.quantity): c for c in counts(network, learned_numbers(model))}


def numbers(found: dict[tuple[str, str], Count], quantity: str) -> dict[str, int | Fraction]:
    return {dialect: c.number for (dialect, what), c in found.items() if what == quantity}


@pytest.mark.parametrize("name", EVERY)
def test_each_formula_gives_its_number(name: str) -> None:
    found = with_scores(evidence(name))
    formulas = [count for count in found if count.formula]
    assert {count.quantity for count in formulas} >= {"macs", "operations", "parameters", "score"}
    for count in formulas:
        assert sum(term.times * term.count for term in count.formula) == count.number
        assert all(term.count > 0 for term in count.formula)


@pytest.mark.parametrize("name", ["torchvision:googlenet", "torchvision:shufflenet_v2_x1_0"])
@pytest.mark.parametrize("rules", [n for n, b in rule_books().items() if b.counter == "trace"])
def test_each_number_is_that_of_the_score(name: str, rules: str) -> None:
    document = score_target(load_target(None, model=name), rules=rules)
    found = [c.number for c in evidence(name).counts if c.quantity in ("macs", "operations")]
    assert Fraction(document["operations"]["total"]) in found


@pytest.mark.parametrize("name", EVERY)
def test_a_number_is_named_once_for_each_quantity_and_dialect(name: str) -> None:
    found = [(count.dialect, count.quantity) for count in evidence(name).counts]
    assert len(found) == len(set(found))


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    ).eval()


CONVOLUTION = 3 * 3 * 3 * 8 * 6 * 6  # 3×3 of 3 channels, for 8 channels of 6×6
LINEAR = 8 * 5
ELEMENTS = 8 * 6 * 6


def test_the_popular_dialects_by_hand() -> None:
    found = counted(small(), (1, 3, 6, 6))
    products = CONVOLUTION + LINEAR
    assert numbers(found, "macs") == {
        "macs": products,
        "thop": products + 4 * ELEMENTS + ELEMENTS + 8,  # the pool: window + 1 a result
        "fvcore": products + 2 * ELEMENTS + ELEMENTS,
    }
    assert found["thop", "macs"].formula[1].name == "BatchNorm elements"
    operations = numbers(found, "operations")
    assert operations["2 × macs"] == operations["torch"] == 2 * products


def test_the_challenge_by_hand() -> None:
    found = counted(small(), (1, 3, 6, 6))
    additions = CONVOLUTION - ELEMENTS + ELEMENTS  # one less, and the folded shift
    additions += (36 - 1) * 8 + (8 - 1) * 5 + 5  # the pool's sums; the classifier with its bias
    multiplications = CONVOLUTION + LINEAR + 8  # the pool divides
    assert found["micronet2019", "additions"].number == additions
    assert found["micronet2019", "multiplications"].number == multiplications
    page = found["micronet2019", "operations"]
    assert page.number == Fraction(multiplications, 2) + additions + ELEMENTS  # ReLU: 1 each
    assert [(t.name, t.times, t.count) for t in page.formula] == [
        ("multiplications of 16 bits", Fraction(1, 2), multiplications),
        ("additions", 1, additions),
        ("other operations", 1, ELEMENTS),
    ]
    counter = found["micronet2019-counter", "operations"]  # ReLU is a multiplication there
    assert counter.number == Fraction(multiplications + ELEMENTS, 2) + additions
    plain = "micronet2019 without the 16-bit allowance"
    assert found[plain, "operations"].number == multiplications + additions + ELEMENTS


def test_storage_by_hand() -> None:
    found = counted(small(), (1, 3, 6, 6))
    weights, biases = 3 * 3 * 3 * 8 + 8 * 5, 5
    assert numbers(found, "parameters") == {
        "micronet2019": Fraction(
            16 * (weights + biases + 8), 32
        ),  # the scale folds, the shift stays
        "micronet2019 without the 16-bit allowance": weights + biases + 8,
        "macs": weights + biases + 2 * 8,
    }
    assert found["macs", "parameters"].formula[0].name == "weights"
    bits = found["micronet2019", "bits"]
    assert bits.number == 16 * (weights + biases + 8)
    assert sum(term.count for term in bits.formula) == bits.number


def test_zeros_make_dialects_of_their_own() -> None:
    model = small()
    weight = model.get_parameter("0.weight")
    weight.data[weight.data < 0] = 0  # without any pattern
    zeros = int((weight == 0).sum())
    found = counted(model, (1, 3, 6, 6))
    macs = numbers(found, "macs")
    assert macs["macs"] == CONVOLUTION - zeros * 36 + LINEAR
    assert macs["macs, zeros included"] == CONVOLUTION + LINEAR
    parameters = numbers(found, "parameters")
    learned = 3 * 3 * 3 * 8 + 2 * 8 + 8 * 5 + 5
    assert (parameters["macs"], parameters["macs, zeros included"]) == (learned - zeros, learned)
    with_mask = 16 * (learned - zeros - 8) + 216  # a bit for each weight of the sparse tensor
    assert parameters["micronet2019"] == Fraction(with_mask, 32)


class Shuffle(nn.Module):
    """Two grouped convolutions with their channels shuffled between."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(4, 4, 1, groups=2, bias=False)
        self.two = nn.Conv2d(4, 4, 1, groups=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.one(x)
        x = x.view(1, 2, 2, 3, 3).transpose(1, 2).reshape(1, 4, 3, 3)
        result: Tensor = self.two(x)
        return result


def test_products_with_permutations_have_a_width_of_their_own() -> None:
    count = counted(Shuffle().eval(), (1, 4, 3, 3))["micronet2019", "operations"]
    products, moved = 2 * 4 * 2 * 9, 4 * 9
    assert [(t.name, t.times, t.count) for t in count.formula][:2] == [
        ("multiplications of 16 bits", Fraction(1, 2), products),
        ("multiplications of 1 bit", Fraction(1, 32), moved),
    ]


@pytest.mark.parametrize("name", ["swin_v2_t", "vit_b_16", "resnet50", "googlenet"])
def test_the_number_of_parameters_that_everybody_prints_is_a_dialect(name: str) -> None:
    loaded = load_target(None, model=f"torchvision:{name}")
    used = {n: p for n, p in loaded.model.named_parameters() if not n.startswith("aux")}
    everything = sum(p.numel() for p in used.values())
    idle = sum(p.numel() for p in loaded.model.parameters()) - everything
    found = [c.number for c in evidence(f"torchvision:{name}").counts if c.quantity == "parameters"]
    assert everything in found
    assert idle == 0 or everything + idle not in found
