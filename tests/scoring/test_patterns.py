"""Patterns are exact however compressed they are."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from micronet.scoring import patterns


def every(*shape: int) -> list[Tensor]:
    """All boolean tensors of a small shape."""
    size = int(torch.tensor(shape).prod())
    return [
        torch.tensor(bits).view(shape) for bits in itertools.product([False, True], repeat=size)
    ]


@pytest.mark.parametrize("shape", [(1,), (4,), (2, 3), (2, 2, 2), (1, 3, 1)], ids=str)
def test_compressing_keeps_the_pattern_and_no_dimension_that_does_not_vary(
    shape: tuple[int, ...],
) -> None:
    for mask in every(*shape):
        small = patterns.compress(mask)
        assert torch.equal(patterns.expand(small, shape), mask)
        assert patterns.count(small, shape) == int(mask.sum())
        for dim, extent in enumerate(small.shape):
            varies = any(not torch.equal(a, b) for a, b in itertools.pairwise(mask.unbind(dim)))
            assert extent == (shape[dim] if varies else 1)


def test_a_compressed_pattern_does_not_share_memory_with_the_mask() -> None:
    mask = torch.tensor([True, False])
    small = patterns.compress(mask)
    mask[:] = True
    assert small.tolist() == [True, False]


def test_an_expanded_mask_compresses_without_looking_at_every_copy() -> None:
    mask = torch.tensor([True, False]).view(1, 2, 1).expand(10**6, 2, 10**6)
    assert patterns.compress(mask).shape == (1, 2, 1)


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 2, 2)], ids=str)
def test_an_empty_tensor_has_no_elements(shape: tuple[int, ...]) -> None:
    small = patterns.compress(torch.ones(shape, dtype=torch.bool))
    assert patterns.count(small, shape) == 0


@pytest.mark.parametrize(
    ("pattern", "shape", "expected"),
    [
        ([[True, False]], (2,), [True, False]),
        ([[True, False], [False, False]], (2,), [True, False]),
        ([[True, False], [False, True]], (1,), [True]),
        ([[True, False], [False, False]], (2, 1), [[True], [False]]),
        ([[False, False]], (1, 1), [[False]]),
        ([[True]], (3, 1), [[True]]),
    ],
)
def test_an_operand_that_was_broadcast_is_reached_by_any_of_its_copies(
    pattern: list[list[bool]], shape: tuple[int, ...], expected: list[object]
) -> None:
    assert patterns.reduce_to(torch.tensor(pattern), shape).tolist() == expected


def test_unions_of_compressed_patterns() -> None:
    rows = torch.tensor([[True], [False]])
    columns = torch.tensor([[False, True, False]])
    both = patterns.union([rows, columns])
    assert both.tolist() == [[True, True, True], [False, True, False]]
    assert patterns.count(both, (2, 3)) == 4


def test_everything_and_nothing() -> None:
    shape = (2, 3, 4)
    assert patterns.count(patterns.everything(shape), shape) == 24
    assert patterns.count(patterns.nothing(shape), shape) == 0
    assert patterns.is_everything(patterns.everything(shape))
    assert patterns.is_nothing(patterns.nothing(shape))
    assert patterns.pad_dims(torch.tensor([True]), 3).shape == (1, 1, 1)
