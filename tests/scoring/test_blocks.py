"""The cheapest mask of a sparse tensor."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from micronet.scoring.blocks import Mask, cheapest


def blocks(rows: int, columns: int, height: int, width: int, *, seed: int = 0) -> Tensor:
    """Half of the blocks of a matrix, at random, none alike its neighbours by more than chance."""
    kept = torch.rand(
        rows // height, columns // width, generator=torch.Generator().manual_seed(seed)
    )
    return (kept < 0.5).repeat_interleave(height, 0).repeat_interleave(width, 1)


def scattered(*shape: int, keep: float = 0.5) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) < keep


def test_the_rules_own_example() -> None:
    """Scoring §1 ¶2: a 512×128 matrix in 4×4 blocks needs 512 · 128 / 16 = 4096 bits of mask."""
    live = blocks(512, 128, 4, 4)
    found = cheapest(live, 32, 32)
    assert found == Mask(4096, int(live.sum()), (4, 4))
    assert found.total(32, 32) == 4096 + 32 * int(live.sum())


@pytest.mark.parametrize("block", [(1, 1), (1, 4), (2, 1), (8, 8), (32, 2)])
def test_the_mask_has_one_bit_a_block(block: tuple[int, int]) -> None:
    live = blocks(128, 64, *block)
    found = cheapest(live, 16, 16)
    assert found == Mask(128 * 64 // (block[0] * block[1]), int(live.sum()), block)


def test_unstructured_zeros_need_one_bit_an_element() -> None:
    live = scattered(64, 64, keep=0.3)
    assert cheapest(live, 16, 16) == Mask(64 * 64, int(live.sum()), (1, 1))


def test_whole_kernels_need_one_bit_a_kernel() -> None:
    kernels = scattered(12, 8)
    live = kernels[:, :, None].expand(12, 8, 9)
    assert cheapest(live, 16, 16) == Mask(12 * 8, 9 * int(kernels.sum()), (1, 1, 9))


@pytest.mark.parametrize(
    ("zeros", "value_bits", "mask_bits"),
    [
        (6, 16, 0),  # dense: 100 · 16 = 1600 = 100 + 94 · 16 − 4 → dense is 4 cheaper
        (7, 16, 100),  # 100 + 93 · 16 = 1588 < 1600
        (50, 1, 0),  # dense at 2 bits, zeros among them: 200 > 100 + 50; see below
    ],
)
def test_no_mask_where_a_mask_costs_more_than_it_saves(
    zeros: int, value_bits: int, mask_bits: int
) -> None:
    live = torch.ones(10, 10, dtype=torch.bool)
    live.view(-1)[torch.randperm(100, generator=torch.Generator().manual_seed(0))[:zeros]] = False
    with_zero = value_bits  # a code that has a zero already
    assert cheapest(live, value_bits, with_zero).bits == mask_bits


def test_zeros_stored_without_a_mask_need_a_level_of_their_own() -> None:
    """Ternary: 1 bit a value beside a mask (100 + 50 · 1 = 150), 2 bits without (100 · 2 = 200)."""
    live = torch.zeros(10, 10, dtype=torch.bool)
    live.view(-1)[torch.randperm(100, generator=torch.Generator().manual_seed(0))[:50]] = True
    found = cheapest(live, 1, 2)
    assert found == Mask(100, 50, (1, 1))
    assert found.total(1, 2) == 150
    assert Mask(0, 100, (), zeros=True).total(1, 2) == 200


def test_blocks_are_stored_whole_with_the_zeros_in_them() -> None:
    """4 blocks of 2×2, one zero inside a kept block, one block empty: 4 + 12 · 16 < 16 + 11 · 16."""
    live = torch.ones(4, 4, dtype=torch.bool)
    live[:2, :2] = False
    live[3, 3] = False
    found = cheapest(live, 4, 4)
    assert found == Mask(4, 12, (2, 2), zeros=True)
    assert found.total(4, 5) == 4 + 12 * 5


def test_a_dense_tensor_needs_no_mask() -> None:
    assert cheapest(torch.ones(7, 5, dtype=torch.bool), 16, 16) == Mask(0, 35, ())


def test_blocks_that_do_not_divide_the_shape_are_not_considered() -> None:
    """7×5 has no blocks at all; 6×5 has 2×1."""
    assert cheapest(scattered(7, 5), 16, 16).block == (1, 1)
    assert cheapest(blocks(6, 5, 2, 1, seed=3), 16, 16).block == (2, 1)


def test_a_vector_has_a_mask_too() -> None:
    live = scattered(100, keep=0.2)
    assert cheapest(live, 16, 16) == Mask(100, int(live.sum()), (1,))


def test_the_mask_found_is_never_dearer_than_one_bit_an_element_or_none() -> None:
    for seed in range(50):
        generator = torch.Generator().manual_seed(seed)
        live = torch.rand(8, 12, 9, generator=generator) < torch.rand(1, generator=generator)
        ones = int(live.sum())
        assert cheapest(live, 16, 16).total(16, 16) <= min(864 + 16 * ones, 864 * 16)
