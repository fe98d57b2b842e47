"""Widths are measured: the narrowest code that holds every value exactly, and never a narrower one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.ao.quantization import FakeQuantize

from micronet.scoring import bits
from micronet.scoring.bits import Width, measure
from micronet.scoring.grids import on_grid

LEGACY = pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
SCALE = 2.0**-7  # a power of two: every multiple is exact
ODD = 0.0123456789  # rounded once more at every multiple


def real(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed))


def levels(count: int, repeat: int, seed: int = 0) -> Tensor:
    """``count`` real numbers on no grid, each ``repeat`` times, shuffled."""
    order = torch.randperm(count * repeat, generator=torch.Generator().manual_seed(seed))
    return real(count, seed).repeat(repeat)[order]


def integers(lowest: int, highest: int, scale: float, repeat: int = 8) -> Tensor:
    """Every integer from lowest to highest but zero, times a scale."""
    whole = [k for k in range(lowest, highest + 1) if k]
    return torch.tensor(whole * repeat, dtype=torch.float32) * scale


# --- floats ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (real(5000), 32),
        (real(5000).half().float(), 16),
        (real(5000).bfloat16().float(), 16),
        (real(5000).half(), 16),
        (real(5000).bfloat16(), 16),
        (torch.cat([real(5000).half().float(), real(1)]), 32),  # one value spoils it
        (torch.tensor([1.0 + 2**-10, 2.0**-30]), 32),  # one in each type only
        (torch.tensor([70000.0, *real(50).half().tolist()]), 32),  # beyond float16's largest
        (torch.tensor([1.0 + 2**-11]), 32),  # float16 has 10 bits of fraction, bfloat16 7
        (torch.tensor([1.0 + 2**-10]), 16),
        (torch.tensor([2.0**-30]), 16),  # below float16's smallest, but a bfloat16
    ],
    ids=lambda case: None if isinstance(case, int) else f"{len(case)}-{case.dtype}",
)
def test_floats_take_32_bits_or_16_where_16_are_exact(values: Tensor, expected: int) -> None:
    assert measure(values) == Width(expected)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 16, 27])
def test_a_few_real_numbers_are_no_code(count: int) -> None:
    """Small tensors must not look quantised by accident: it would cost the whole entry its freebie."""
    found = {measure(real(count, seed)).bits for seed in range(200)}
    assert found == {32}


@pytest.mark.parametrize("per_channel", [1, 2, 3, 9])
def test_a_few_real_numbers_a_channel_are_no_code(per_channel: int) -> None:
    channels = torch.arange(8).repeat_interleave(per_channel)
    found = {measure(real(8 * per_channel, seed), channels).bits for seed in range(100)}
    assert found == {32}


# --- codebooks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "expected"), [(2, 1), (3, 2), (4, 2), (5, 3), (255, 8), (256, 8), (257, 9)]
)
def test_a_codebook_takes_an_index_a_value_and_32_bits_a_level(count: int, expected: int) -> None:
    found = measure(levels(count, 50))
    assert found == Width(expected, "codebook", table_bits=32 * count, levels=count)
    assert found.total(50 * count) == expected * 50 * count + 32 * count


@pytest.mark.parametrize(
    ("repeat", "code"),
    [
        (1, "float"),  # 256 · 32 = 8192 < 256 · 8 + 256 · 32
        (2, "codebook"),  # 512 · 8 + 8192 = 12288 < 512 · 32 = 16384
    ],
)
def test_a_table_that_costs_more_than_it_saves_is_not_used(repeat: int, code: str) -> None:
    assert measure(levels(256, repeat)).code == code


def test_sampling_does_not_miss_what_lies_between_the_samples() -> None:
    """Every sampled position holds one value; all others are real numbers."""
    values = real(64 * bits._SAMPLE)
    values[:: values.numel() // bits._SAMPLE] = 1.0
    assert measure(values) == Width(32)


def test_a_period_equal_to_the_stride_of_the_sample_does_not_hide_levels() -> None:
    stride = 4
    values = levels(16, 1).repeat(bits._SAMPLE * stride // 16)
    assert values.numel() // bits._SAMPLE == stride
    assert values[::stride].unique().numel() == 4  # what a sample sees
    assert measure(values) == Width(4, "codebook", table_bits=32 * 16, levels=16)


def test_float16_is_not_judged_by_the_first_values() -> None:
    values = real(4 * bits._SAMPLE).half().float()
    values[-1] = real(1)
    assert measure(values) == Width(32)


# --- grids ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [SCALE, ODD, 1.0, 1e-6, 3e4], ids=str)
@pytest.mark.parametrize(
    ("lowest", "highest", "expected"),
    [
        (-127, 127, 8),
        (-128, 127, 8),
        (-8, 7, 4),
        (-1, 1, 1),  # ±1, zeros in the mask: ternary weights
        (1, 255, 8),  # unsigned
        (1, 15, 4),
    ],
)
def test_a_grid_takes_integers_and_one_scale(
    lowest: int, highest: int, expected: int, scale: float
) -> None:
    found = measure(integers(lowest, highest, scale, repeat=50))
    assert (found.bits, found.code, found.table_bits) == (expected, "grid", 32)


def test_a_grid_with_a_zero_point_has_it_stored_beside_the_scale() -> None:
    """Codes 0…255 about zero point 100: integers −100…155 are 9 bits signed, 8 as they were coded."""
    found = measure(integers(-100, 155, ODD))
    assert found == Width(8, "grid", table_bits=32 + 32, levels=255)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (integers(-127, 127, ODD), 8),
        (integers(-1, 1, ODD, repeat=99), 2),  # with the zero these are three levels
        (integers(1, 255, ODD), 8),
    ],
    ids=["int8", "ternary", "unsigned"],
)
def test_zeros_among_the_values_are_on_the_grid_too(values: Tensor, expected: int) -> None:
    assert measure(torch.cat([values, torch.zeros(9)])).bits == expected


def test_ternary_values_take_two_bits_where_no_mask_holds_the_zeros() -> None:
    assert measure(integers(-1, 1, ODD, repeat=99)).bits_with_zero == 2
    assert measure(integers(-127, 127, ODD)).bits_with_zero == 8  # the grid has a zero already
    assert measure(levels(256, 9)).bits_with_zero == 9  # a 257th level
    assert measure(real(50)).bits_with_zero == 32


def test_one_value_off_the_grid_is_seen() -> None:
    values = integers(-127, 127, ODD, repeat=4)
    values[7] = torch.nextafter(values[7], torch.tensor(9.0))
    assert measure(values).code != "grid"


@pytest.mark.parametrize(
    "whole", [[28, 44, 46, 54, 127], [6, 10, 15], [50, 64, 69, 79, 127]], ids=str
)
def test_a_few_integers_without_neighbours_are_still_on_their_grid(whole: list[int]) -> None:
    """No two of them differ by 1: the scale is their greatest common divisor, not their smallest gap."""
    assert on_grid(torch.tensor(whole, dtype=torch.float32) * ODD)


@pytest.mark.parametrize("scale", [SCALE, ODD, 1.0, 1e-6, 3e4], ids=str)
def test_two_bits_are_two_bits_whichever_table_they_need(scale: float) -> None:
    assert measure(integers(-2, 1, scale, repeat=50)).bits == 2


def test_the_cheaper_of_codebook_and_grid_is_taken() -> None:
    """−2, −1, 1, 2: 2 bits and 4 · 32 of table, or 3 bits and 32; equal at 96 values, where bits decide."""
    assert measure(integers(-2, 2, ODD, repeat=23)) == Width(3, "grid", 32, 4)  # 308 < 312
    assert measure(integers(-2, 2, ODD, repeat=24)) == Width(2, "codebook", 128, 4)  # 320 = 320
    assert measure(integers(-2, 2, ODD, repeat=25)) == Width(2, "codebook", 128, 4)  # 328 < 332


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("count", [3, 5, 9, 27, 300, 100_000])
def test_16_bit_floats_are_not_taken_for_a_grid_or_a_codebook(
    count: int, dtype: torch.dtype
) -> None:
    """They have few bits of fraction, and bfloat16 few different values, by nature."""
    channels = torch.arange(count) // 9
    for seed in range(30 if count < 1000 else 2):
        values = real(count, seed).to(dtype)
        for stored in (values, values.float()):
            assert measure(stored).bits == 16
            assert measure(stored, channels).bits == 16


def test_fake_quantised_weights_have_the_width_that_was_asked_for() -> None:
    narrow = FakeQuantize(quant_min=-8, quant_max=7, dtype=torch.qint8)
    assert measure(narrow(real(4000)).reshape(-1)).bits == 4


@LEGACY
def test_dequantised_tensors_have_8_bits() -> None:
    weight = real(4000)
    symmetric = torch.quantize_per_tensor(weight, 4 / 127, 0, torch.qint8).dequantize()
    unsigned = torch.quantize_per_tensor(weight, 8 / 255, 100, torch.quint8).dequantize()
    assert [measure(kept[kept != 0]).bits for kept in (symmetric, unsigned)] == [8, 8]


# --- one scale a channel --------------------------------------------------------------------------


def per_channel(rows: int, columns: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(values, channels) of dequantised int8 weights, zeros left out."""
    weight = real(rows * columns, seed).reshape(rows, columns)
    scales = weight.abs().amax(1) / 127
    zeros = torch.zeros(rows, dtype=torch.long)
    found = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8).dequantize()
    channels = torch.arange(rows)[:, None].expand(rows, columns)
    return found[found != 0], channels[found != 0]


@LEGACY
@pytest.mark.parametrize(
    ("rows", "columns"),
    [(64, 576), (16, 27), (32, 9), (8, 5)],
    ids=["large", "stem", "depthwise", "tiny"],
)
def test_one_scale_a_channel(rows: int, columns: int) -> None:
    for seed in range(20):
        values, channels = per_channel(rows, columns, seed=seed)
        found = measure(values, channels)
        assert (found.bits, found.code, found.table_bits) == (8, "grid per channel", 32 * rows)


@LEGACY
def test_a_channel_without_values_needs_no_scale() -> None:
    values, channels = per_channel(16, 60)
    kept = (channels != 0) & (channels != 5)
    assert measure(values[kept], channels[kept]).table_bits == 32 * 14


@LEGACY
def test_channels_need_not_come_in_order() -> None:
    values, channels = per_channel(16, 60)
    order = torch.randperm(values.numel())
    assert measure(values[order], channels[order]).bits == 8


@LEGACY
def test_one_real_valued_channel_makes_the_tensor_real_valued() -> None:
    values, channels = per_channel(16, 60)
    values[channels == 3] = real(int((channels == 3).sum()))
    assert measure(values, channels) == Width(32)


# --- the rest -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 2, 3], 2), ([-128, 127], 8), ([255], 8), ([-129], 9), ([-1, 1], 2), ([1], 1)],
)
def test_integers_take_the_bits_of_the_widest(values: list[int], expected: int) -> None:
    assert measure(torch.tensor(values)).bits == expected


def test_nothing_stored_is_nothing_quantised() -> None:
    """A wholly dead layer must not take the freebie away from the others."""
    empty = measure(torch.empty(0))
    assert empty.total(0) == 0
    assert not empty.quantised


def test_quantised_means_narrower_than_16_bits() -> None:
    assert [Width(n).quantised for n in (1, 8, 15, 16, 32)] == [True, True, True, False, False]
