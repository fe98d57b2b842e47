"""Widths in every layout, the 16-bit freebie that hangs on them, and widths that are declared."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from micronet.errors import MicronetError
from micronet.scoring.network import Network
from micronet.scoring.rulebook import rule_book
from micronet.scoring.tally import Tally, tally
from micronet.scoring.trace import meta_input, trace
from tests.scoring.bills import bill
from tests.scoring.members import Model, real, stored

# --- measured widths ------------------------------------------------------------------------------


def int8(*shape: int, axis: int = 0) -> Tensor:
    """Dequantised int8 with one scale a channel, every channel reaching 127."""
    weight = real(*shape).movedim(axis, 0).flatten(1)
    scale = weight.abs().amax(1, keepdim=True) / 127
    quantised = (weight / scale).round() * scale
    return quantised.view(torch.empty(shape).movedim(axis, 0).shape).movedim(0, axis).contiguous()


def widths(model: nn.Module, *shape: int) -> list[int]:
    return [tensor.width.bits for tensor in bill(model, shape).tensors if tensor.edges]


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (Model(lambda m, x: F.conv2d(x, m.w), w=int8(16, 3, 3, 3)), (1, 3, 8, 8)),
        (Model(lambda m, x: F.conv2d(x, m.w, groups=32), w=int8(32, 1, 3, 3)), (1, 32, 8, 8)),
        (Model(lambda m, x: F.linear(x, m.w), w=int8(64, 128)), (1, 128)),
        (Model(lambda m, x: x @ m.w, w=int8(128, 64, axis=1)), (1, 128)),
        (
            Model(lambda m, x: F.conv_transpose2d(x, m.w), w=int8(8, 16, 3, 3, axis=1)),
            (1, 8, 8, 8),
        ),
        (
            Model(
                lambda m, x: F.conv2d(x, m.w),
                w=int8(16, 8, 3, 3).to(memory_format=torch.channels_last),
            ),
            (1, 8, 8, 8),
        ),
    ],
    ids=["stem", "depthwise", "linear", "matmul", "transposed convolution", "channels last"],
)
def test_one_scale_a_channel_is_found_in_every_layout(
    model: nn.Module, shape: tuple[int, ...]
) -> None:
    assert widths(model, *shape) == [8]


def test_a_first_channel_that_is_all_zero_hides_nothing() -> None:
    weight = int8(16, 60)
    weight[:2] = 0
    assert widths(Model(lambda m, x: F.linear(x, m.w), w=weight), 1, 60) == [8]


def test_scales_are_stored_beside_quantised_values() -> None:
    weight = int8(16, 60)
    weight[0] = 0
    active = int((weight != 0).sum())
    found = stored(Model(lambda m, x: F.linear(x, m.w), w=weight), 1, 60)
    assert found["scales"] == 32 * 15
    zeros = 15 * 60 - active
    assert found["values"] + found.get("bitmask", 0) == 8 * active + min(15 * 60, 8 * zeros)


def freebie(model: nn.Module, *shape: int) -> bool:
    return bill(model, shape).freebie


def test_nothing_quantised_means_16_bits_everywhere_and_one_quantised_tensor_means_none() -> None:
    def both(one: Tensor) -> Tally:
        return bill(
            Model(lambda m, x: F.linear(F.linear(x, m.a), m.b), a=one, b=real(4, 64)), (1, 32)
        )

    assert both(real(64, 32)).storage_by == {"values": 16 * (64 * 32 + 4 * 64)}
    found = both(torch.where(real(64, 32) > 0, 0.123, -0.123))
    assert not found.freebie
    assert found.storage_by == {"values": 64 * 32 + 32 * 4 * 64, "scales": 32}


def test_a_dead_layer_leaves_the_freebie_to_the_others() -> None:
    model = Model(
        lambda m, x: F.linear(x, m.w) + F.linear(x, m.dead), w=real(4, 8), dead=torch.zeros(4, 8)
    )
    assert freebie(model, 1, 8)
    assert stored(model, 1, 8) == {"values": 16 * 32}


def test_a_mask_made_by_code_leaves_the_freebie_to_the_weights() -> None:
    """Swin's mask of 0 and −100 is no quantised weight."""

    def forward(model: Any, x: Tensor) -> Tensor:
        mask = torch.zeros(16, 16)
        mask[:8, 8:] = -100
        return F.linear(x, model.w) + mask

    assert freebie(Model(forward, w=real(16, 16)), 1, 16, 16)


def test_constant_scales_are_no_codebook() -> None:
    """Layer scale and norms at their initial value."""
    model = Model(
        lambda m, x: F.linear(x, m.w) * m.scale, w=real(100, 8), scale=torch.full((100,), 1e-6)
    )
    assert freebie(model, 1, 8)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_a_16_bit_checkpoint_is_not_quantised(dtype: torch.dtype) -> None:
    weight = real(300, 300).to(dtype).float()
    model = Model(lambda m, x: F.linear(F.linear(x, m.w), m.v), w=weight, v=weight[:3])
    assert freebie(model, 1, 300)


# --- declared widths ------------------------------------------------------------------------------


def declared(weight: Tensor, bits: int) -> int:
    model = Model(lambda m, x: F.linear(x, m.w), w=weight)
    network = Network(trace(model, [meta_input((1, weight.shape[1]))]))
    return tally(network, rule_book("micronet2019"), bits=bits).storage_by["values"]


def test_a_declared_width_that_the_values_contradict_is_an_error() -> None:
    with pytest.raises(MicronetError) as error:
        declared(real(40, 40), 8)
    assert error.value.message == "--bits 8 contradicts the values: w needs 32 bits (float)."
    assert error.value.next_step == "Leave --bits out to price every tensor at its measured width."


def test_the_error_says_how_many_values_there_are_and_how_many_tensors_more() -> None:
    five = real(5).repeat(80).view(40, 10)
    model = Model(lambda m, x: F.linear(F.linear(x, m.w), m.v), w=five, v=five.t().clone())
    network = Network(trace(model, [meta_input((1, 10))]))
    with pytest.raises(
        MicronetError, match=r"w needs 3 bits \(codebook, 5 distinct values\) and 1 more"
    ):
        tally(network, rule_book("micronet2019"), bits=2)


def test_a_declared_width_that_holds_is_used() -> None:
    """A dozen zeros of 960 values are cheaper stored than masked."""
    assert declared(int8(16, 60), 9) == 9 * 16 * 60
