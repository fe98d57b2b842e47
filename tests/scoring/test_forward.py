"""What Python does in forward: views, buffers, masks, shared and unused modules, counted by hand."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune
from torch.nn.utils.parametrizations import weight_norm

from tests.scoring.bills import bill, costs, edges

if TYPE_CHECKING:
    from collections.abc import Callable


# --- Python in forward ----------------------------------------------------------------------------


class Function(nn.Module):
    """A model whose forward is a function of its layers and the input."""

    def __init__(
        self, function: Callable[[nn.ModuleList, Tensor], Tensor], *layers: nn.Module
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.function = function

    def forward(self, image: Tensor) -> Tensor:
        return self.function(self.layers, image)


def relu_on_a_view(layers: nn.ModuleList, x: Tensor) -> Tensor:
    y: Tensor = layers[0](x)
    y[:, :2].relu_()
    return y


def buffer_by_index(layers: nn.ModuleList, x: Tensor) -> Tensor:
    y = x.new_zeros(1, 3, 2, 2)
    y[:, 0] = x[:, 0] * 2
    y[:, 2] = x[:, 1] + x[:, 0]
    return layers[0](y)  # type: ignore[no-any-return]


def zeroed_through_a_view(layers: nn.ModuleList, x: Tensor) -> Tensor:
    y = layers[0](x)
    y.view(1, 4, 4)[:, 1].zero_()
    return layers[1](y)  # type: ignore[no-any-return]


def chunks_in_place(layers: nn.ModuleList, x: Tensor) -> Tensor:
    y = layers[0](x)
    first, second = y.chunk(2, 1)
    first.relu_()
    second.mul_(first)
    return layers[1](y)  # type: ignore[no-any-return]


def accumulator(layers: nn.ModuleList, x: Tensor) -> Tensor:
    total = x.new_zeros(1, 4, 2, 2)
    total += layers[0](x)
    total[:, :1] += x
    return total


@pytest.mark.parametrize(
    ("function", "layers", "channels", "expected", "live"),
    [
        # 4 edges · 4 positions; 2 of 4 channels · 4 positions
        pytest.param(relu_on_a_view, [(1, 4)], 1, (16, 0, 8), 4, id="relu on a view"),
        # one product and one sum a position to fill; then 2 of 3 columns · 2 rows: 4 products, 2 sums
        pytest.param(buffer_by_index, [(3, 2)], 2, (4 + 16, 4 + 8, 0), 4, id="buffer by index"),
        # 3 + 2·3 edges; 2 sums of 3
        pytest.param(
            zeroed_through_a_view, [(1, 4), (4, 2)], 1, (36, 16, 0), 9, id="zeroed through a view"
        ),
        # 4 + 2·4 edges and 2 channels of products; 2 sums of 4; 2 channels of ReLUs
        pytest.param(
            chunks_in_place, [(1, 4), (4, 2)], 1, (48 + 8, 24, 8), 12, id="chunks in place"
        ),
        # 4 edges; adding to nothing is free, then one channel is added
        pytest.param(accumulator, [(1, 4)], 1, (16, 4, 0), 4, id="accumulator"),
    ],
)
def test_tensors_written_in_place(
    function: Callable[[nn.ModuleList, Tensor], Tensor],
    layers: list[tuple[int, int]],
    channels: int,
    expected: tuple[int, int, int],
    live: int,
) -> None:
    """1×1 convolutions on 2×2 maps."""
    model = Function(function, *(nn.Conv2d(i, o, 1, bias=False) for i, o in layers))
    found = bill(model, (1, channels, 2, 2))
    assert (costs(found), found.live) == (expected, live)


@pytest.mark.parametrize(
    ("function", "layer", "channels"), [(accumulator, (1, 4), 1), (buffer_by_index, (3, 2), 2)]
)
def test_zeros_made_by_code_are_not_stored(
    function: Callable[[nn.ModuleList, Tensor], Tensor], layer: tuple[int, int], channels: int
) -> None:
    """4 live edges at 16 bits, and no mask: dead columns are not stored at all."""
    found = bill(Function(function, nn.Conv2d(*layer, 1, bias=False)), (1, channels, 2, 2))
    assert found.storage_by == {"values": 64}


SHUFFLES: list[tuple[str, Callable[[Tensor], Tensor]]] = [
    ("transpose", lambda x: x.view(1, 2, 2, 3, 3).transpose(1, 2).reshape(1, 4, 3, 3)),
    ("permute", lambda x: x.view(1, 2, 2, 3, 3).permute(0, 2, 1, 3, 4).flatten(1, 2)),
    ("channel_shuffle", lambda x: torch.channel_shuffle(x, 2)),
    ("index", lambda x: x[:, [0, 2, 1, 3]]),
]


@pytest.mark.parametrize(
    "shuffle",
    [pytest.param(f, id=name) for name, f in SHUFFLES],
)
def test_channel_shuffle(shuffle: Callable[[Tensor], Tensor]) -> None:
    """A product with a 0/1 matrix: 4·9 one-bit multiplications, a 4×4 mask and 4 one-bit values."""
    found = bill(Function(lambda _, x: shuffle(x)), (1, 4, 3, 3))
    assert (costs(found), found.cost.total) == ((36, 0, 0), Fraction(36, 32))
    assert found.storage_by == {"permutation": 20}


# --- weights computed in forward ------------------------------------------------------------------

KEEP = torch.tensor([[1.0, 0, 1], [0, 1, 1]])  # 4 of 6; rows of 2 and 2


class Masked(nn.Linear):
    """Keeps its weight dense and masks it at every call, in one of the ways people do it."""

    def __init__(self, how: str) -> None:
        super().__init__(3, 2, bias=False)
        self.how = how
        self.weight.data = torch.tensor([[3.0, -0.1, 4], [0.2, -5, 6]])
        self.register_buffer("mask", KEEP.clone())

    def forward(self, x: Tensor) -> Tensor:
        w: Tensor = self.weight
        mask = self.get_buffer("mask")
        match self.how:
            case "mask":
                w = w * mask
            case "where":
                w = torch.where(mask > 0, w, 0)
            case "top-k":
                smallest = w.abs().flatten().topk(4).values[-1]
                w = w * (w.abs() >= smallest)
            case "round":
                w = torch.round(w)
            case "fake quantisation":
                w = torch.fake_quantize_per_tensor_affine(w, 1.0, 0, -8, 7)
            case "in place":
                w.data.mul_(mask)
            case "assigned":
                w.data = w.data * mask
        return F.linear(x, w)


@pytest.mark.parametrize(
    "how",
    [
        "mask",
        "where",
        "top-k",
        "round",
        "fake quantisation",
        "in place",
        "assigned",
    ],
)
def test_a_weight_masked_in_forward_is_what_is_left_of_it(how: str) -> None:
    """4 products in two sums, and the mask itself costs nothing; the model is as it was before."""
    model = Masked(how)
    before = model.weight.detach().clone()
    found = bill(model, (1, 3))
    assert (costs(found), edges(found)) == ((4, 2, 0), (6, 4, 4))
    assert torch.equal(model.weight, before)


def pruned() -> nn.Module:
    layer = nn.Linear(3, 2, bias=False)
    prune.custom_from_mask(layer, "weight", KEEP)
    return layer


class Keep(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight * KEEP


def parametrized() -> nn.Module:
    layer = nn.Linear(3, 2, bias=False)
    return parametrize.register_parametrization(layer, "weight", Keep())


def normed() -> nn.Module:
    """weight = g · v / |v|, with the direction masked."""
    layer = nn.Linear(3, 2, bias=False)
    weight_norm(layer)
    layer.parametrizations.weight.original1.data *= KEEP  # type: ignore[union-attr, operator]
    return layer


@pytest.mark.parametrize("make", [pruned, parametrized, normed])
def test_parametrised_weights(make: Callable[[], nn.Module]) -> None:
    found = bill(make(), (1, 3))
    assert (costs(found), edges(found)) == ((4, 2, 0), (6, 4, 4))


@pytest.mark.parametrize(
    "join",
    [
        pytest.param(lambda a, b: torch.cat([a, b]), id="cat"),
        pytest.param(lambda a, b: torch.stack([a[0], b[0]]), id="stack"),
    ],
)
def test_a_weight_joined_from_two_parameters(join: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Rows (1, 0, 1) and (0, 1, 1): 4 products in two sums."""
    one, two = nn.Linear(3, 1, bias=False), nn.Linear(3, 1, bias=False)
    one.weight.data, two.weight.data = KEEP[:1].clone(), KEEP[1:].clone()
    model = Function(
        lambda layers, x: F.linear(x, join(layers[0].weight, layers[1].weight)),  # type: ignore[arg-type]
        one,
        two,
    )
    found = bill(model, (1, 3))
    assert (costs(found), edges(found)) == ((4, 2, 0), (6, 4, 4))


# --- modules and tensors that are shared, or not used at all --------------------------------------


def test_a_module_called_twice_is_stored_once() -> None:
    """Two calls of 9 products and 3·(2 + bias) additions; 3 ReLUs; 9 values and 3 biases at 16 bits."""
    layer = nn.Linear(3, 3)
    found = bill(nn.Sequential(layer, nn.ReLU(), layer), (1, 3))
    assert (costs(found), edges(found)) == ((18, 18, 3), (9, 9, 9))
    assert found.storage_by == {"values": 144, "bias": 48}


def test_an_edge_that_is_live_in_one_call_is_executed_in_both() -> None:
    """The first call sees zeros in column 1; the second, a sum of both columns, feeds it."""
    layer = nn.Conv2d(2, 2, 1, bias=False)
    model = Function(
        lambda layers, x: layers[0](layers[0](x * torch.tensor([1.0, 0]).view(1, 2, 1, 1))), layer
    )
    found = bill(model, (1, 2, 1, 1))
    # x · (1, 0): one product that is not zero; two calls of 4 products and 2 sums
    assert (costs(found), found.live) == ((1 + 8, 4, 0), 4)


def test_a_module_never_called_costs_nothing() -> None:
    model = Function(lambda layers, x: layers[0](x), nn.Linear(3, 2, bias=False), nn.Linear(7, 7))
    found = bill(model, (1, 3))
    assert (costs(found), edges(found)) == ((6, 4, 0), (6, 6, 6))


def test_a_result_that_nobody_reads_costs_nothing() -> None:
    def forward(layers: nn.ModuleList, x: Tensor) -> Tensor:
        layers[1](layers[0](x))
        return layers[0](x)  # type: ignore[no-any-return]

    found = bill(Function(forward, nn.Linear(3, 2, bias=False), nn.Linear(2, 2)), (1, 3))
    # 6 products, 2 sums, executed at both calls: an edge is never dropped at some of its positions
    assert (costs(found), found.live) == ((12, 8, 0), 6)


def test_tied_embedding_and_softmax_are_stored_once() -> None:
    """5 tokens of 3 numbers at 4 positions: 15 products and 5·2 additions each.

    Softmax: 20 exponentials, 4·4 additions, 20 divisions.
    """
    embedding, decoder = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
    decoder.weight = embedding.weight
    found = bill(nn.Sequential(embedding, decoder, nn.Softmax(-1)), (1, 4), "int64")
    assert (costs(found), edges(found)) == ((60 + 20, 40 + 16, 20), (15, 15, 15))
    assert found.storage_by == {"values": 240}


def test_a_norm_that_folds_at_one_of_two_calls_is_stored_whole() -> None:
    """Convolution, norm, the same norm again: the second needs scale and shift, 2·2 values."""
    norm = nn.BatchNorm2d(2)
    found = bill(nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), norm, norm), (1, 1, 2, 2))
    assert found.storage_by["normalisation"] == 4 * 16
