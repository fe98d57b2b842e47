"""Every deviation is exact: it is what a recount with the mistake made gives, to the last unit.

The recounts are made another way: by a rule book with another price, by a twin network that has what
the mistake puts in or lacks what it leaves out, or by hand from the tensors.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from micronet.audit.gather import gather
from micronet.checkpoints.loaded import LoadedTarget
from micronet.checkpoints.target import load_target
from micronet.models import InputSpec
from micronet.scoring.api import learned_numbers
from micronet.scoring.network import Network
from micronet.scoring.rulebook import Price, RuleBook, rule_book
from micronet.scoring.tally import Tally, tally
from micronet.scoring.trace import meta_input, trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from micronet.audit.evidence import Evidence

BOOK = rule_book("micronet2019")
PAGE = BOOK.name
PLAIN = f"{PAGE} without the 16-bit allowance"
SHAPE = (1, 3, 8, 8)


def evidence(model: nn.Module) -> Evidence:
    shape = InputSpec(SHAPE)
    loaded = LoadedTarget("net", None, None, "net", {}, "unknown", model.eval(), shape, None, ())
    return gather(loaded)


def bill(model: nn.Module, book: RuleBook = BOOK) -> Tally:
    return tally(Network(trace(model.eval(), [meta_input(SHAPE)])), book, learned_numbers(model))


def change(found: Evidence, quantity: str, what: str, dialect: str = PAGE) -> Fraction:
    """The one deviation of these words, 0 if it changes nothing."""
    same = [
        each.change
        for each in found.deviations
        if (each.dialect, each.quantity, each.what) == (dialect, quantity, what)
    ]
    assert len(same) <= 1
    return same[0] if same else Fraction(0)


def layers(found: Evidence, what: str, dialect: str = PAGE) -> set[str]:
    same = (d for d in found.deviations if (d.dialect, d.what) == (dialect, what))
    return {name for each in same for name in each.layers}


class Net(nn.Module):
    """A stem with norm, a depthwise and a 1×1 layer with bias, a residual sum, a pool, a classifier."""

    def __init__(self, *, bias: bool = True, affine: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8, affine=affine)
        self.deep = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=bias)
        self.point = nn.Conv2d(8, 8, 1, bias=bias)
        self.head = nn.Linear(8, 5, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        x = x + self.point(self.deep(x))
        result: Tensor = self.head(x.mean((2, 3)))
        return result


STEM, DEEP, POINT, HEAD = 3 * 3 * 3 * 8, 3 * 3 * 8, 8 * 8, 8 * 5  # weights
PIXELS = 8 * 8
RESULTS = 8 * PIXELS  # of each of the three convolutions
PRODUCTS = (STEM + DEEP + POINT) * PIXELS + HEAD


def pruned() -> Net:
    """Half of the stem and of the 1×1 layer, without any pattern."""
    model = Net()
    for layer in (model.stem, model.point):
        layer.weight.data[layer.weight < 0] = 0
    return model


def zeros(layer: nn.Conv2d) -> int:
    return int((layer.weight == 0).sum())


# --- storage --------------------------------------------------------------------------------------


def test_without_a_bitmask_only_values_are_stored() -> None:
    """A bit for each of the two sparse tensors' weights; half as much as a parameter of 16 bits."""
    model = pruned()
    found = evidence(model)
    weights = STEM + DEEP + POINT + HEAD - zeros(model.stem) - zeros(model.point)
    values = weights + 8 + 8 + 5 + 8  # biases, and the norm's shift; its scale folds
    true = found.count(PAGE, "parameters")
    assert true is not None
    assert true + change(found, "parameters", "the bitmask left out") == Fraction(16 * values, 32)
    assert layers(found, "the bitmask left out") == {"stem", "point"}


def test_a_bitmask_of_the_nonzero_values_is_a_bit_for_each_of_them() -> None:
    found = evidence(model := pruned())
    kept = STEM + POINT - zeros(model.stem) - zeros(model.point)
    without = change(found, "parameters", "the bitmask left out")
    half = change(found, "parameters", "a bitmask of the nonzero values only")
    assert half - without == Fraction(kept, 32)


def test_a_dense_network_has_no_bitmask_to_leave_out() -> None:
    assert not [each for each in evidence(Net()).deviations if each.id == "bitmask"]


@pytest.mark.parametrize("dialect", [PAGE, PLAIN])
def test_biases_and_shifts_are_8_8_5_and_8(dialect: str) -> None:
    bits = 16 if dialect == PAGE else 32
    found = evidence(Net())
    biases = change(found, "parameters", "biases left out", dialect)
    shifts = change(found, "parameters", "shifts of the folded batch norms left out", dialect)
    assert (biases, shifts) == (-Fraction(bits * 21, 32), -Fraction(bits * 8, 32))


def test_without_the_allowance_everything_is_32_bits() -> None:
    found = evidence(pruned())
    full = bill(pruned(), replace(BOOK, freebie_bits=0))
    for quantity, number in (
        ("parameters", Fraction(full.storage_bits, 32)),
        ("operations", full.cost.total),
    ):
        true = found.count(PAGE, quantity)
        assert true is not None
        what = "the 16-bit allowance not taken"
        assert true + change(found, quantity, what) == number == found.count(PLAIN, quantity)


@pytest.mark.parametrize("dialect", [PAGE, PLAIN])
def test_zeros_as_values_are_the_storage_of_the_dense_twin(dialect: str) -> None:
    sparse, dense = evidence(pruned()), evidence(Net())
    saved = dense.count(dialect, "parameters"), sparse.count(dialect, "parameters")
    assert saved[0] is not None
    assert saved[1] is not None
    assert change(sparse, "parameters", "zeros stored as values", dialect) == saved[0] - saved[1]


# --- operations -----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [Net, pruned])
@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("additions of the dot products left out", replace(BOOK, dot_product_additions="none")),
        (
            "n products charged n additions, not n − 1",
            replace(BOOK, dot_product_additions="as many"),
        ),
        ("activations counted as free", replace(BOOK, acts={**(BOOK.acts or {}), "relu": Price()})),
        ("operations of zero weights", replace(BOOK, edges="stored")),
    ],
)
def test_an_operation_left_out_is_a_rule_book_without_its_price(
    make: Callable[[], nn.Module], what: str, other: RuleBook
) -> None:
    found = evidence(make())
    true = found.count(PAGE, "operations")
    assert true is not None
    assert true + change(found, "operations", what) == bill(make(), other).cost.total


def test_biases_and_shifts_are_an_addition_a_result() -> None:
    found = evidence(Net())
    shifts = change(found, "operations", "additions of the folded shifts left out")
    biases = change(found, "operations", "additions of the biases left out")
    assert shifts == -RESULTS
    assert biases == -(2 * RESULTS + 5)
    without = bill(Net(), replace(BOOK, bias_additions=0)).cost.total
    assert bill(Net()).cost.total + shifts + biases == without


def test_zero_weights_cost_what_the_dense_twin_costs_more() -> None:
    sparse, dense = evidence(pruned()), evidence(Net())
    for quantity in ("operations", "multiplications", "additions"):
        more, less = dense.count(PAGE, quantity), sparse.count(PAGE, quantity)
        assert more is not None
        assert less is not None
        assert change(sparse, quantity, "operations of zero weights") == more - less


def test_additions_of_16_bits_cost_half() -> None:
    found = evidence(Net())
    additions = found.count(PAGE, "additions")
    assert additions is not None
    assert change(found, "operations", "all additions at 16 bits") == -additions / 2
    summed = PRODUCTS - 3 * RESULTS - 5  # one less for each dot product
    assert change(found, "operations", "dot products' additions at 16 bits") == -Fraction(summed, 2)


def test_elementwise_work_by_hand() -> None:
    found = evidence(Net())
    residual = change(
        found, "operations", "residual and other elementwise additions counted as free"
    )
    assert residual == -RESULTS
    mean = change(found, "operations", "sums and means counted as free")
    assert mean == -((PIXELS - 1) * 8 + Fraction(8, 2))  # sums, and a division of 16 bits


def test_the_parts_of_an_operation_have_their_own_numbers() -> None:
    found = evidence(Net())
    what = "additions of the dot products left out"
    assert change(found, "additions", what) == change(found, "operations", what)
    assert change(found, "multiplications", what) == 0


# --- the papers' way ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "twin"),
    [
        ("scales and shifts of norms left out", Net(affine=False)),
        ("biases left out", Net(bias=False)),
    ],
)
def test_parameters_left_out_are_those_that_a_twin_lacks(what: str, twin: nn.Module) -> None:
    found, other = evidence(Net()), evidence(twin)
    true = found.count("macs", "parameters")
    assert true is not None
    assert true + change(found, "parameters", what, "macs") == other.count("macs", "parameters")


def test_running_statistics_are_the_buffers() -> None:
    model = Net()
    held = sum(b.numel() for name, b in model.named_buffers() if "running" in name)
    assert change(evidence(model), "parameters", "running statistics counted too", "macs") == held


PARTS = {
    "the first layer": (STEM, PIXELS, {"stem"}),
    "the last layer": (HEAD, 1, {"head"}),
    "grouped and depthwise convolutions": (DEEP, PIXELS, {"deep"}),
    "1×1 convolutions": (POINT, PIXELS, {"point"}),
}


@pytest.mark.parametrize("part", PARTS)
def test_parts_of_the_network_by_hand(part: str) -> None:
    found = evidence(Net())
    weights, positions, names = PARTS[part]
    assert change(found, "parameters", f"weights of {part} left out", "macs") == -weights
    what = f"multiply-accumulates of {part} left out"
    assert change(found, "macs", what, "macs") == -weights * positions
    assert change(found, "operations", what, "2 × macs") == -2 * weights * positions
    assert layers(found, what, "macs") == names


def test_zeros_in_the_papers_way_by_hand() -> None:
    found = evidence(model := pruned())
    none = zeros(model.stem) + zeros(model.point)
    assert change(found, "parameters", "zeros stored as values", "macs") == none
    what = "multiply-accumulates of zero weights"
    assert change(found, "macs", what, "macs") == none * PIXELS


def test_dead_edges_are_those_whose_channel_nobody_reads() -> None:
    """The 1×1 layer reads nothing of channel 0, so what the depthwise layer makes of it is for nothing."""
    model = Net()
    model.point.weight.data[:, 0] = 0
    found = evidence(model)
    assert change(found, "parameters", "dead edges", "macs") == 3 * 3
    what = "multiply-accumulates of dead edges"
    assert change(found, "macs", what, "macs") == 3 * 3 * PIXELS
    assert layers(found, what, "macs") == {"deep"}
    values = change(found, "parameters", "values of dead edges stored")
    assert values == Fraction(16 * 3 * 3, 32)


def test_modules_that_never_run_by_hand() -> None:
    model = Net()
    model.aux = nn.Linear(7, 3)
    found = evidence(model)
    what = "parameters of modules that never run"
    assert change(found, "parameters", what, "macs") == 7 * 3 + 3
    assert layers(found, what, "macs") == {"aux"}


def quantised() -> Net:
    """The stem at 15 levels of one grid: 4 bits, so nobody may take the 16-bit allowance."""
    model = Net()
    weight = model.stem.weight
    weight.data = torch.randint(-7, 8, weight.shape).clamp(min=1).float() / 8
    weight.data[0, 0, 0, :2] = torch.tensor([-7 / 8, 7 / 8])
    return model


def test_the_allowance_beside_quantised_layers_is_taken_by_everything_else() -> None:
    found = evidence(quantised())
    wrong = replace(BOOK, freebie_bits=0)
    assert found.count(PAGE, "operations") == bill(quantised(), wrong).cost.total
    what = "the 16-bit allowance beside quantised layers"
    multiplications = found.count(PAGE, "multiplications")
    assert multiplications is not None
    assert change(found, "operations", what) == -multiplications / 2
    others = DEEP + POINT + HEAD + 21 + 16  # weights, biases and a norm that a grid cannot take in
    assert change(found, "parameters", what) == -Fraction(16 * others, 32)
    assert layers(found, what) == {"stem"}


# --- all of them ----------------------------------------------------------------------------------

NETWORKS = ["mobilenet_v3_small", "resnet18", "googlenet", "vit_b_16", "shufflenet_v2_x0_5"]


@pytest.mark.parametrize("name", NETWORKS)
def test_no_deviation_takes_away_more_than_there_is(name: str) -> None:
    found = gather(load_target(None, model=f"torchvision:{name}"))
    assert len(found.deviations) > 10
    for each in found.deviations:
        number = found.count(each.dialect, each.quantity)
        assert each.change != 0
        if number is not None:  # editions agree on most numbers, and then only the first has them
            assert number + each.change >= 0, each


@pytest.mark.parametrize("name", NETWORKS)
def test_no_deviation_is_there_twice(name: str) -> None:
    found = gather(load_target(None, model=f"torchvision:{name}")).deviations
    keys = [(each.dialect, each.quantity, each.what) for each in found]
    assert len(keys) == len(set(keys))


def test_only_norms_with_running_statistics_have_some_to_count() -> None:
    """LayerNorm has none; BatchNorm2d(4) has a mean and a variance for each of 4 channels."""
    norms = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.LayerNorm([4, 8, 8]))
    found = {
        each.what: each.change
        for each in evidence(norms).deviations
        if (each.dialect, each.quantity) == ("macs", "parameters")
    }
    assert found["running statistics counted too"] == 2 * 4
    assert found["scales and shifts of norms left out"] == -(2 * 4 + 2 * 4 * 8 * 8)
