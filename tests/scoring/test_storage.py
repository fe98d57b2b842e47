"""What is stored, how often, and at how many bits: each sum spelled out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from micronet.errors import MicronetError
from micronet.scoring.network import Network
from micronet.scoring.storage import Inventory
from micronet.scoring.trace import meta_input, trace
from tests.scoring.bills import bill, edges
from tests.scoring.members import Forward, Model, real, stored, without

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SPARSE = without(
    real(4, 8), *range(0, 31, 2)
)  # 16 of 32 zero, in every row and in half of the columns


# --- masks ----------------------------------------------------------------------------------------


def test_a_dense_weight_has_no_mask() -> None:
    assert stored(Model(lambda m, x: F.linear(x, m.w), w=real(4, 8)), 1, 8) == {"values": 32 * 16}


def test_a_sparse_weight_has_one_bit_an_element_of_its_live_rows_and_columns() -> None:
    """Row 2 is empty and column 5 too: 8 − 1 rows × 8 − 1 columns of mask."""
    weight = without(real(8, 8), *(range(16, 24)), *(range(5, 64, 8)), 0, 9, 27, 36, 44, 55, 62)
    live = (
        64 - 8 - 7 - 7 + 1
    )  # row, rest of the column, seven more, of which 44 lies in column 5? no
    live = int((weight != 0).sum())
    assert live == 64 - 8 - 7 - 7
    model = Model(lambda m, x: F.linear(x, m.w), w=weight)
    assert stored(model, 1, 8) == {"values": 16 * live, "bitmask": 7 * 7}


def test_whole_dead_channels_need_neither_mask_nor_values() -> None:
    """Columns 0 and 1 are zero: what is left of 4×8 is a dense 4×6."""
    weight = real(4, 8)
    weight[:, :2] = 0
    model = Model(lambda m, x: F.linear(x, m.w), w=weight)
    assert stored(model, 1, 8) == {"values": 16 * 4 * 6}


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last], ids=str)
def test_a_sparse_convolution_costs_the_same_in_any_memory_order(
    memory: torch.memory_format,
) -> None:
    """Kernel 0 whole, kernel 3 whole, the others zero: 2 · 2 bits of mask and 2 · 9 values."""
    conv = nn.Conv2d(2, 2, 3, bias=False)
    with torch.no_grad():
        conv.weight[0, 1] = 0
        conv.weight[1, 0] = 0
    conv = conv.to(memory_format=memory)
    assert stored(conv, 1, 2, 8, 8) == {"values": 16 * 2 * 9, "bitmask": 2 * 2}


def test_zeros_scattered_over_a_channels_last_weight_cost_the_same() -> None:
    zeros = torch.randperm(432, generator=torch.Generator().manual_seed(0))[:144].tolist()
    weight = without(real(6, 8, 3, 3), *zeros)
    both = [
        stored(Model(lambda m, x: F.conv2d(x, m.w), w=w), 1, 8, 8, 8)
        for w in (weight, weight.to(memory_format=torch.channels_last))
    ]
    assert both == [{"values": 16 * 288, "bitmask": 432}] * 2


# --- one tensor, used in many ways ----------------------------------------------------------------


def copied(model: Any, x: Tensor) -> Any:
    return x @ model.w.t().contiguous()


SAME_WEIGHT: dict[str, Forward] = {
    "as it is": lambda m, x: F.linear(x, m.w),
    "transposed view": lambda m, x: x @ m.w.t(),
    "transposed copy": copied,
    "reshaped": lambda m, x: F.linear(x, m.w.view(2, 16).view(4, 8)),
    "clone": lambda m, x: F.linear(x, m.w.clone()),
    "in two slices": lambda m, x: torch.cat(
        [F.linear(x, m.w[:2]), F.linear(x, m.w[2:])],
        1,
    ),
    "twice": lambda m, x: F.linear(x, m.w) + F.linear(x, m.w),
    "one by one kernel": lambda m, x: F.conv2d(
        x[:, :, None, None],
        m.w[:, :, None, None],
    ),
}


@pytest.mark.parametrize("forward", SAME_WEIGHT.values(), ids=SAME_WEIGHT)
def test_a_weight_is_stored_once_with_its_zeros_left_out(forward: Forward) -> None:
    """16 nonzero of 32 values; the four even columns are empty: dense over the others, no mask."""
    found = bill(Model(forward, w=SPARSE), (1, 8))
    assert found.storage_by["values"] == 16 * 16
    assert edges(found) == (32, 16, 16)


def test_an_unread_part_of_a_parameter_is_not_stored() -> None:
    model = Model(lambda m, x: F.linear(x, m.w[:, :8]), w=real(4, 20))
    found = bill(model, (1, 8))
    assert found.storage_by == {"values": 16 * 4 * 8}
    assert edges(found) == (80, 80, 32)


def test_a_copied_slice_stores_no_more_than_its_source() -> None:
    model = Model(lambda m, x: F.linear(x, m.w[:, ::2].contiguous()), w=real(4, 16))
    assert stored(model, 1, 8) == {"values": 16 * 4 * 16}  # conservative: all of the source


@pytest.mark.parametrize("spread", [Tensor.expand, Tensor.repeat], ids=["expand", "repeat"])
def test_a_kernel_used_for_every_channel_is_stored_once(spread: Callable[..., Tensor]) -> None:
    model = Model(lambda m, x: F.conv2d(x, spread(m.w, 4, 1, 3, 3), groups=4), w=real(1, 1, 3, 3))
    if spread is Tensor.repeat:
        model.run = lambda m, x: F.conv2d(x, spread(m.w, 4, 1, 1, 1), groups=4)
    found = bill(model, (1, 4, 8, 8))
    assert found.storage_by == {"values": 16 * 9}
    assert edges(found) == (9, 9, 9)


def test_a_concatenated_weight_is_its_parts_with_their_own_zeros() -> None:
    query = without(real(4, 8), *range(0, 32, 3))  # 11 zeros
    model = Model(lambda m, x: F.linear(x, torch.cat([m.q, m.k])), q=query, k=real(4, 8, seed=1))
    found = bill(model, (1, 8))
    assert found.storage_by == {"values": 16 * (21 + 32), "bitmask": 32}
    assert edges(found) == (64, 53, 53)


def test_parameters_that_share_one_storage_are_each_stored() -> None:
    """12 + 12 values in one storage; 10 and 8 of them not zero; one bit of mask for each of the 24."""
    whole = without(real(24), 0, 5, 12, 16, 20, 23)
    model = Model(lambda m, x: x @ m.b @ m.a, a=whole[:12].view(3, 4), b=whole[12:].view(4, 3))
    found = bill(model, (1, 4))
    assert found.storage_by == {"values": 16 * 18, "bitmask": 24}
    assert edges(found) == (24, 18, 18)


def test_tied_embedding_and_softmax_are_one_table() -> None:
    model = Model(lambda m, x: F.linear(F.embedding(x, m.e), m.e), e=real(10, 4))
    assert stored(model, 1, 3, dtype="int64") == {"values": 16 * 40}


class Half(nn.Module):
    """A mask as a parametrisation."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight * (torch.arange(weight.numel()) % 2).view_as(weight)


def test_a_parametrised_weight_called_twice_is_stored_once() -> None:
    linear = nn.Linear(8, 8, bias=False)
    parametrize.register_parametrization(linear, "weight", Half())
    once = bill(linear, (1, 8))
    twice = bill(Model(lambda m, x: m.l(F.relu(m.l(x))), l=linear), (1, 8))
    assert once.storage_by == {"values": 16 * 32}  # the odd columns, dense
    # The second call reads relu(first), all 8 channels: 32 edges; rows are all live; columns 1, 3, 5, 7.
    assert twice.storage_by == once.storage_by
    assert edges(twice) == edges(once) == (64, 32, 32)


# --- biases and norms -----------------------------------------------------------------------------


def test_a_bias_is_stored_for_live_channels_only() -> None:
    """Channel 1 is not read by the layer after."""
    first, second = nn.Linear(8, 4), nn.Linear(4, 2, bias=False)
    with torch.no_grad():
        second.weight[:, 1] = 0
    assert stored(nn.Sequential(first, second), 1, 8) == {
        "values": 16 * (3 * 8 + 2 * 3),
        "bias": 16 * 3,
    }


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4)], {"normalisation": 16 * 4}),
        ([nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)], {"normalisation": 16 * 4}),
        ([nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4)], {"bias": 64, "normalisation": 128}),
        ([nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1, bias=False)], {"normalisation": 16 * 2 * 3}),
        (
            [nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4, affine=False)],
            {"normalisation": 16 * 4},
        ),
        ([nn.Conv2d(3, 4, 1, bias=False), nn.GroupNorm(2, 4)], {"normalisation": 16 * 2 * 4}),
    ],
    ids=[
        "folded",
        "the bias joins the shift",
        "not folded",
        "before",
        "statistics only",
        "group norm",
    ],
)
def test_a_norm_is_one_number_a_channel_where_it_folds_and_two_elsewhere(
    layers: list[nn.Module], expected: Mapping[str, int]
) -> None:
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean = real(layer.num_features)
    assert stored(nn.Sequential(*layers), 1, 3, 8, 8) == {"values": 16 * 12} | dict(expected)


# --- look-ups, buffers, constants -----------------------------------------------------------------


def test_a_table_looked_up_by_a_constant_index_is_stored_once() -> None:
    """Relative position bias: 9 numbers, spread over a 5×5 matrix."""
    index = torch.arange(5)[:, None] - torch.arange(5)[None, :] + 4
    model = Model(lambda m, x: x + m.table[m.index], table=real(9), index=index)
    assert stored(model, 1, 5, 5) == {"values": 16 * 9}


def test_a_buffer_used_as_a_weight_is_stored() -> None:
    model = Model(lambda m, x: F.conv2d(x, m.kernel))
    model.register_buffer("kernel", real(1, 1, 3, 3))
    assert stored(model, 1, 1, 8, 8) == {"values": 16 * 9}


def test_an_integer_weight_is_stored_at_its_own_width() -> None:
    weight = torch.arange(-16, 16).view(8, 4)  # −16…15 are 5 bits; one zero is not worth a mask
    model = Model(lambda m, x: x @ m.w, w=weight)
    found = stored(model, 1, 8, dtype="int64")
    assert found == {"values": 32 * 5}


def test_running_statistics_alone_and_unused_parameters_are_not_stored() -> None:
    model = Model(lambda m, x: F.linear(x, m.w), w=real(4, 8), idle=real(1000))
    assert stored(model, 1, 8) == {"values": 16 * 32}


def test_what_is_read_and_never_reaches_the_output_is_named() -> None:
    def forward(model: Any, x: Tensor) -> Tensor:
        F.linear(x, model.aside)
        return F.linear(x, model.w)

    model = Model(forward, w=real(4, 8), aside=real(4, 8))
    network = Network(trace(model, [meta_input((1, 8))]))
    assert Inventory(network, fold=True).unused() == ["aside"]
    assert stored(model, 1, 8) == {"values": 16 * 32}


def test_a_complex_parameter_is_refused_and_not_free() -> None:
    model = Model(
        lambda m, x: torch.view_as_real(x * m.phase), phase=torch.ones(8, dtype=torch.complex64)
    )
    with pytest.raises(MicronetError, match="A complex tensor has no price: phase"):
        stored(model, 1, 8)
