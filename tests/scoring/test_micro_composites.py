"""Attention, recurrent networks, and weights that forward computes: nothing hides, nothing counts twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize, prune
from torch.nn.utils.parametrizations import weight_norm

from tests.scoring.small import Run, Shape, bill, weight

if TYPE_CHECKING:
    from torch import Tensor

# Attention over 5 tokens of 8 numbers, in 2 heads of 4: two products of 5 × 5 × 4 a head.
PRODUCTS = 2 * 2 * 5 * 5 * 4
PROJECTIONS = 4 * 5 * 8 * 8  # query, key, value, output
ATTENTION: dict[str, tuple[nn.Module, Shape, int]] = {
    "scaled_dot_product_attention": (
        Run(lambda _, x: F.scaled_dot_product_attention(x, x, x)),
        (1, 2, 5, 4),
        PRODUCTS,
    ),
    "causal": (  # a masked product is computed all the same
        Run(lambda _, x: F.scaled_dot_product_attention(x, x, x, is_causal=True)),
        (1, 2, 5, 4),
        PRODUCTS,
    ),
    "MultiheadAttention": (
        Run(lambda s, x: s.f(x, x, x)[0], f=nn.MultiheadAttention(8, 2, batch_first=True)),
        (1, 5, 8),
        PROJECTIONS + PRODUCTS,
    ),
    "MultiheadAttention without weights": (
        Run(
            lambda s, x: s.f(x, x, x, need_weights=False)[0],
            f=nn.MultiheadAttention(8, 2, batch_first=True),
        ),
        (3, 5, 8),
        3 * (PROJECTIONS + PRODUCTS),
    ),
    "sequence first": (
        Run(lambda s, x: s.f(x, x, x)[0], f=nn.MultiheadAttention(8, 2)),
        (5, 3, 8),
        3 * (PROJECTIONS + PRODUCTS),
    ),
    "TransformerEncoderLayer": (
        nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True),
        (1, 5, 8),
        PROJECTIONS + PRODUCTS + 2 * 5 * 8 * 16,
    ),
    "TransformerEncoder": (
        nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 3, enable_nested_tensor=False
        ),
        (1, 5, 8),
        3 * (PROJECTIONS + PRODUCTS + 2 * 5 * 8 * 16),
    ),
}


@pytest.mark.parametrize("name", ATTENTION)
def test_attention_does_not_hide(name: str) -> None:
    model, shape, multiplications = ATTENTION[name]
    assert bill(model.eval(), shape).cost.total == multiplications


def test_every_act_of_one_attention() -> None:
    # Scores: 5 × 5 × 4 products a head, 3 additions a dot product. The scale 1/√4 is shared out:
    # query and key are each multiplied by √½ (2 · 5 · 4 numbers a head). Softmax of 5 rows of 5:
    # 25 exponentials, 20 additions, 25 divisions a head. P · V: 5 × 4 dot products of 5.
    run = Run(lambda _, x: F.scaled_dot_product_attention(x, x, x))
    cost = bill(run, (1, 2, 5, 4), book="micronet2019").cost
    assert cost.multiplications == 2 * (100 + 40 + 25 + 100)
    assert cost.additions == 2 * (25 * 3 + 20 + 20 * 4)
    assert cost.other == 2 * 25


# Recurrent networks: input 8, hidden 16, batch 2, 5 steps. The network carries its state, so the
# hidden-to-hidden edges are used in the first step as well.
STEPS = 2 * 5
RECURRENT: dict[str, tuple[nn.Module, Shape, int]] = {
    "LSTM": (nn.LSTM(8, 16), (5, 2, 8), STEPS * 4 * 16 * (8 + 16)),
    "LSTM, batch first": (
        nn.LSTM(8, 16, batch_first=True),
        (2, 5, 8),
        STEPS * 4 * 16 * (8 + 16),
    ),
    "LSTM without bias": (nn.LSTM(8, 16, bias=False), (5, 2, 8), STEPS * 4 * 16 * (8 + 16)),
    "LSTM of 2 layers": (
        nn.LSTM(8, 16, 2),
        (5, 2, 8),
        STEPS * 4 * 16 * (8 + 16 + 16 + 16),
    ),
    "LSTM, both directions": (
        nn.LSTM(8, 16, bidirectional=True),
        (5, 2, 8),
        STEPS * 2 * 4 * 16 * (8 + 16),
    ),
    "LSTM, both directions, 2 layers": (  # the second layer reads both: 32
        nn.LSTM(8, 16, 2, bidirectional=True),
        (5, 2, 8),
        STEPS * 2 * 4 * 16 * (8 + 16 + 32 + 16),
    ),
    "LSTM, projected": (  # 16 → 4 after each step, and 4 come back
        nn.LSTM(8, 16, proj_size=4),
        (5, 2, 8),
        STEPS * (4 * 16 * (8 + 4) + 16 * 4),
    ),
    "GRU": (nn.GRU(8, 16), (5, 2, 8), STEPS * 3 * 16 * (8 + 16)),
    "GRU, both directions": (
        nn.GRU(8, 16, bidirectional=True, batch_first=True),
        (2, 5, 8),
        STEPS * 2 * 3 * 16 * (8 + 16),
    ),
    "RNN": (nn.RNN(8, 16), (5, 2, 8), STEPS * 16 * (8 + 16)),
    "RNN with ReLU": (nn.RNN(8, 16, nonlinearity="relu"), (5, 2, 8), STEPS * 16 * (8 + 16)),
    "LSTMCell": (nn.LSTMCell(8, 16), (2, 8), 2 * 4 * 16 * (8 + 16)),
    "GRUCell": (nn.GRUCell(8, 16), (2, 8), 2 * 3 * 16 * (8 + 16)),
    "RNNCell": (nn.RNNCell(8, 16), (2, 8), 2 * 16 * (8 + 16)),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_networks(name: str) -> None:
    model, shape, multiplications = RECURRENT[name]
    assert bill(model.eval(), shape).cost.total == multiplications


@pytest.mark.parametrize(
    ("model", "multiplications", "additions", "other"),
    [
        # tanh(W x + b + U h + c): 8 + 16 additions a unit, one for the sum; one tanh
        pytest.param(nn.RNN(8, 16), 16 * 24, 16 * (24 + 1), 16, id="RNN"),
        # 4 gates of 8 + 16 additions and their sum; c = f c + i g; o tanh(c); 3 σ and 2 tanh
        pytest.param(nn.LSTM(8, 16), 16 * (96 + 3), 16 * (4 * 25 + 1), 16 * 5, id="LSTM"),
        # 3 gates of 8 + 16 additions and their sums; r · (U h + c); n + z (h - n); 2 σ and a tanh
        pytest.param(nn.GRU(8, 16), 16 * (72 + 2), 16 * (3 * 25 + 2), 16 * 3, id="GRU"),
    ],
)
def test_every_act_of_a_recurrent_step(
    model: nn.Module, multiplications: int, additions: int, other: int
) -> None:
    cost = bill(model, (5, 2, 8), book="micronet2019").cost
    steps = [STEPS * each for each in (multiplications, additions, other)]
    assert [cost.multiplications, cost.additions, cost.other] == steps


def half_zero(rows: int, columns: int) -> Tensor:
    """Every second column is zero; every row keeps an edge."""
    return weight(rows, columns) * (torch.arange(columns) % 2)


def masked() -> nn.Module:
    return Run(lambda s, x: F.linear(x, s.w * s.mask), w=weight(4, 8), mask=half_zero(4, 8))


class Masked(nn.Module):
    """A parametrisation: half of the columns off."""

    def forward(self, w: Tensor) -> Tensor:
        return w * (torch.arange(w.shape[1]) % 2)


def parametrised() -> nn.Module:
    model = nn.Linear(8, 4, bias=False)
    parametrize.register_parametrization(model, "weight", Masked())
    return model


def pruned() -> nn.Module:
    model = nn.Linear(8, 4, bias=False)
    prune.custom_from_mask(model, "weight", torch.arange(8).remainder(2).expand(4, 8))
    return model


def from_buffer() -> nn.Module:
    model = Run(lambda s, x: F.linear(x, s.w))
    model.register_buffer("w", half_zero(4, 8))
    return model


def fake_quantised() -> nn.Module:
    # values of about 0.5 … 1.5 on a grid of 1: zeros stay, the rest rounds to 1 or 2
    return Run(
        lambda s, x: F.linear(x, torch.fake_quantize_per_tensor_affine(s.w, 1.0, 0, -128, 127)),
        w=half_zero(4, 8) + 0.01,
    )


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(masked(), id="mask times weight"),
        pytest.param(parametrised(), id="parametrisation"),
        pytest.param(pruned(), id="torch.nn.utils.prune"),
        pytest.param(from_buffer(), id="buffer"),
        pytest.param(fake_quantised(), id="fake quantisation"),
    ],
)
def test_weights_computed_in_forward_count_by_their_values(model: nn.Module) -> None:
    found = bill(model, (3, 8))
    assert found.cost.total == 3 * 4 * 4  # 4 of 8 columns
    assert (found.stored, found.active, found.live) == (32, 16, 16)


def test_weight_norm_is_computed_once() -> None:
    # g · v / |v| does not depend on the input: the linear layer alone is left.
    model = weight_norm(nn.Linear(8, 4))
    cost = bill(model, (1, 8), book="micronet2019").cost
    assert (cost.multiplications, cost.additions, cost.other) == (32, 32, 0)


def tied() -> nn.Module:
    first, second = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
    second.weight = first.weight
    return nn.Sequential(first, second)


def test_tied_weights_run_twice_and_are_stored_once() -> None:
    found = bill(tied(), (1, 8))
    assert found.cost.total == 2 * 64
    assert found.storage_bits == 32 * 64
    assert found.stored == 64


def test_a_network_that_normalises_its_own_input() -> None:
    scale = Run(
        lambda s, x: s.f(x / torch.tensor([1.0, 2.0, 3.0])[:, None, None]), f=nn.Conv2d(3, 4, 1)
    )
    assert bill(scale, (1, 3, 5, 5)).cost.total == 25 * 12
    # a division counts as a multiplication: 3 numbers at 25 places
    assert bill(scale, (1, 3, 5, 5), book="micronet2019").cost.multiplications == 25 * 12 + 75


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_constant_made_in_place_of_two_parameters_stores_both(device: str) -> None:
    def run(s: Run, x: Tensor) -> Tensor:  # 4 rows, each 5 times, plus 5 rows, all 4 times
        return x + s.a.repeat_interleave(5, 0).add_(s.b.repeat(4, 1))  # type: ignore[operator]

    with torch.device(device):
        model = Run(run, a=torch.rand(4, 8), b=torch.rand(5, 8))
    # the sum as it is used, or the two that it is made of
    stored = bill(model, (2, 20, 8), book="micronet2019").tensors
    assert sum(tensor.live for tensor in stored) in (160, 32 + 40)
