"""What operators do to numbers, from the definition of each; none is ever negative, none is free."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from micronet.errors import MicronetError
from micronet.scoring import acts as module
from micronet.scoring.acts import ELEMENTWISE, LINEAR, NO_ARITHMETIC, acts, register
from micronet.scoring.network import Network
from micronet.scoring.rulebook import ACTS
from micronet.scoring.trace import meta_input, trace
from micronet.scoring.work import work
from tests.scoring.bills import bill

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Function(nn.Module):
    """A forward without parameters."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def done(model: nn.Module | Callable[[Tensor], Tensor], *shape: int) -> dict[str, int]:
    """All acts of a model, zeros left out."""
    model = model if isinstance(model, nn.Module) else Function(model)
    network = Network(trace(model, [meta_input(shape)]))
    found: dict[str, int] = {}
    for entry in work(network, "live", fold=True):
        for act, count in entry.acts.items():
            found[act] = found.get(act, 0) + count
    return {act: count for act, count in found.items() if count}


# [2, 8] unless a shape is given: n = 8 numbers a row, 16 in all.
FORMULAS: dict[str, tuple[Callable[[Tensor], Tensor] | nn.Module, Mapping[str, int]]] = {
    "x + c": (lambda x: x + 1, {"add": 16}),
    "x + 3y": (lambda x: torch.add(x, x, alpha=3), {"add": 16, "multiply": 16}),
    "1 - x": (lambda x: 1 - x, {"add": 16}),
    "x / 3": (lambda x: x / 3, {"multiply": 16}),
    "x squared": (lambda x: x**2, {"multiply": 16}),
    "x cubed": (lambda x: x**3, {"multiply": 32}),
    "x to the fourth": (lambda x: x**4, {"multiply": 32}),  # (x · x) squared
    "square root": (lambda x: x**0.5, {"transcendental": 16}),
    "clamp both": (lambda x: x.clamp(-1, 1), {"compare": 32}),
    "clamp one": (lambda x: x.clamp(min=0), {"compare": 16}),
    "relu": (F.relu, {"relu": 16}),
    "relu6": (F.relu6, {"relu": 16}),
    "sigmoid": (torch.sigmoid, {"sigmoid": 16}),
    "swish": (F.silu, {"swish": 16}),
    "hard swish": (F.hardswish, {"add": 16, "relu": 16, "multiply": 32}),
    "gelu": (F.gelu, {"multiply": 48, "add": 16, "transcendental": 16}),
    "gelu by tanh": (
        lambda x: F.gelu(x, approximate="tanh"),
        # ½x (1 + tanh(√(2/π) · x · (1 + 0.044715 · x · x))): 6 products, 2 sums, 1 tanh
        {"multiply": 96, "add": 32, "transcendental": 16},
    ),
    "mean": (lambda x: x.mean(1), {"add": 2 * 7, "multiply": 2}),
    "sum": (lambda x: x.sum(1), {"add": 2 * 7}),
    "sum of all": (lambda x: x.sum(), {"add": 15}),
    "largest": (lambda x: x.amax(1), {"compare": 2 * 7}),
    "index of the largest": (lambda x: x.argmax(1), {"compare": 2 * 7}),
    "variance": (
        lambda x: x.var(1),
        # mean: 7 and 1; differences: 8; squares: 8; their mean: 7 and 1
        {"add": 2 * (7 + 8 + 7), "multiply": 2 * (1 + 8 + 1)},
    ),
    "euclidean norm": (
        lambda x: torch.linalg.vector_norm(x, dim=1),
        {"multiply": 2 * 8, "add": 2 * 7, "transcendental": 2},
    ),
    "softmax": (lambda x: x.softmax(1), {"transcendental": 16, "add": 2 * 7, "multiply": 16}),
    "log softmax": (
        lambda x: x.log_softmax(1),
        {"transcendental": 16 + 2, "add": 2 * 7 + 16},
    ),
    "running sum": (lambda x: x.cumsum(1), {"add": 2 * 7}),
    "layer norm": (
        nn.LayerNorm(8),
        # a row: mean 7 and 1; differences 8; squares 8; variance 7 and 1; ε, 1/√; scale 8; affine 8, 8
        {"add": 2 * (7 + 8 + 7 + 1 + 8), "multiply": 2 * (1 + 8 + 1 + 8 + 8), "transcendental": 2},
    ),
    "moving data": (lambda x: x[None].expand(3, 2, 8).repeat(1, 2, 1)[1:, :, 2:], {}),
}  # fmt: skip


@pytest.mark.parametrize(("forward", "expected"), FORMULAS.values(), ids=FORMULAS)
def test_acts_of_a_matrix(forward: Callable[[Tensor], Tensor], expected: Mapping[str, int]) -> None:
    assert done(forward, 2, 8) == expected


# [1, 4, 4, 4]: 4 channels of 16 positions.
IMAGES: dict[str, tuple[nn.Module, Mapping[str, int]]] = {
    "average of 2×2": (nn.AvgPool2d(2), {"add": 16 * 3, "multiply": 16}),
    "largest of 2×2": (nn.MaxPool2d(2), {"compare": 16 * 3}),
    "global average": (nn.AdaptiveAvgPool2d(1), {"add": 4 * 15, "multiply": 4}),
    # 4 → 3: windows from ⌊4i/3⌋ to ⌈4(i + 1)/3⌉ are 0–2, 1–3, 2–4: 2 + 2 + 2 wide, (6 · 6) a channel
    "uneven average": (nn.AdaptiveAvgPool2d(3), {"add": 4 * (36 - 9), "multiply": 4 * 9}),
    "uneven largest": (nn.AdaptiveMaxPool2d(3), {"compare": 4 * (36 - 9)}),
    "bilinear": (nn.UpsamplingBilinear2d(scale_factor=2), {"multiply": 4 * 256, "add": 3 * 256}),
    "nearest": (nn.UpsamplingNearest2d(scale_factor=2), {}),
    "norm with statistics": (nn.BatchNorm2d(4), {"multiply": 64, "add": 64}),
    # 2 groups of 32: means 2 · 31 and 2; differences 64; squares 64; variances; ε, 1/√: 2; 64; 64, 64
    "group norm": (
        nn.GroupNorm(2, 4),
        {"add": 62 + 64 + 62 + 2 + 64, "multiply": 2 + 64 + 2 + 64 + 64, "transcendental": 2},
    ),
    "instance norm": (
        nn.InstanceNorm2d(4),
        {"add": 60 + 64 + 60 + 4, "multiply": 4 + 64 + 4 + 64, "transcendental": 4},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("layer", "expected"), IMAGES.values(), ids=IMAGES)
def test_acts_of_an_image(layer: nn.Module, expected: Mapping[str, int]) -> None:
    assert done(layer, 1, 4, 4, 4) == expected


# --- results that nobody needs --------------------------------------------------------------------


def dead_end() -> nn.Conv2d:
    layer = nn.Conv2d(4, 2, 1, bias=False)
    nn.init.zeros_(layer.weight)
    return layer


@pytest.mark.parametrize(
    "layer", [layer for layer, _ in IMAGES.values()] + [nn.Softmax(1), nn.LogSoftmax(1), nn.GELU()],
    ids=[*IMAGES, "softmax", "log softmax", "gelu"],
)  # fmt: skip
def test_what_feeds_nothing_costs_nothing_and_never_less(layer: nn.Module) -> None:
    found = bill(nn.Sequential(layer, dead_end()), (1, 4, 4, 4))
    assert (found.cost.multiplications, found.cost.additions, found.cost.other) == (0, 0, 0)


def test_statistics_need_every_element_though_some_results_are_not_read() -> None:
    """4 of 8 results are read: mean and variance are of all 8; scale and shift of 4."""
    after = nn.Linear(8, 1, bias=False)
    with torch.no_grad():
        after.weight[:, :4] = 0
    assert done(nn.Sequential(nn.LayerNorm(8), after), 1, 8) == {
        "add": 7 + 8 + 7 + 1 + 4,
        "multiply": 1 + 8 + 1 + 4 + 4,
        "transcendental": 1,
    }


def test_a_softmax_needs_every_exponential_though_one_result_is_read() -> None:
    """One of two classes: both exponentials, their sum, one quotient."""
    assert done(lambda x: x.softmax(1)[:, 1], 1, 2) == {
        "transcendental": 2,
        "add": 1,
        "multiply": 1,
    }


# --- the tables -----------------------------------------------------------------------------------


def test_the_tables_do_not_overlap_and_use_known_acts() -> None:
    tables = (set(ELEMENTWISE), set(module._HANDLERS), set(NO_ARITHMETIC), set(LINEAR))
    assert sum(map(len, tables)) == len(set().union(*tables))
    assert {act for row in ELEMENTWISE.values() for act in row} <= set(ACTS)


UNKNOWN: dict[str, Callable[[Tensor], Tensor]] = {
    "product over a row": lambda x: x.prod(1),
    "sorting": lambda x: x.sort(1)[0],
    "inverse": torch.linalg.inv,
    "norm of another order": lambda x: torch.linalg.vector_norm(x, 3, dim=1),
}


@pytest.mark.parametrize("forward", UNKNOWN.values(), ids=UNKNOWN)
def test_an_operator_without_a_price_is_an_error(forward: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(MicronetError, match=r"(?i)no price"):
        done(forward, 4, 4)


def test_all_operators_without_a_price_are_named_with_their_modules() -> None:
    model = nn.Sequential(Function(lambda x: x.prod(1)), Function(lambda x: x.sort()[0]))
    with pytest.raises(MicronetError) as error:
        done(model, 4, 4)
    assert error.value.message == (
        "No price for 2 operator(s): aten.prod.dim_int in 0; aten.sort.default in 1."
    )


@pytest.mark.parametrize("name", ["scan", "aten::relu"])
def test_only_operators_of_ones_own_are_registered(name: str) -> None:
    with pytest.raises(MicronetError, match="is no operator of your own"):
        register(name, lambda _, results: {"add": results})


@pytest.mark.parametrize("found", [{"flops": 3}, {"add": -1}, {"add": 0.5}], ids=str)
def test_a_registered_formula_gives_whole_numbers_of_known_acts(
    found: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module._REGISTERED, "relu", lambda *_: found)
    operation = trace(nn.ReLU(), [meta_input((1, 4))]).operations[0]
    with pytest.raises(MicronetError, match="The formula of relu gives"):
        acts(operation, 4)
