"""Convolutions: geometry of padding, strides, groups and transposition, against real ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from micronet.scoring.liveness.convolution import by_group, from_group, taps
from micronet.scoring.trace import meta_input, trace
from tests.scoring.liveness.empirical import Masked, agree


def sparse(*shape: int, keep: float = 0.4) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator) * (torch.rand(shape, generator=generator) < keep)


# (weight, arguments): 4 channels of 5×4 positions.
PLAIN: dict[str, tuple[Tensor, dict[str, Any]]] = {
    "1×1": (sparse(3, 4, 1, 1), {}),
    "3×3": (sparse(3, 4, 3, 3, keep=0.1), {}),
    "padded": (sparse(3, 4, 3, 3, keep=0.1), {"padding": 1}),
    "1×1 padded: the border is all padding": (sparse(3, 4, 1, 1), {"padding": 1}),
    "strided": (sparse(3, 4, 1, 1), {"stride": 2}),
    "strided and padded": (sparse(3, 4, 3, 3, keep=0.1), {"stride": 2, "padding": 1}),
    "dilated": (sparse(3, 4, 2, 2, keep=0.2), {"dilation": 2}),
    "dilated beyond the image": (sparse(3, 4, 3, 3, keep=0.2), {"dilation": 4, "padding": 4}),
    "uneven": (sparse(3, 4, 3, 1, keep=0.2), {"padding": (0, 2), "stride": (1, 2)}),
    "grouped": (sparse(6, 2, 3, 3, keep=0.2), {"groups": 2, "padding": 1}),
    "depthwise": (sparse(4, 1, 3, 3, keep=0.3), {"groups": 4, "padding": 1}),
    "with a bias": (sparse(3, 4, 1, 1), {"bias": torch.tensor([0.0, 1.0, 0.0])}),
    "all zero": (torch.zeros(3, 4, 1, 1), {}),
}
TRANSPOSED: dict[str, tuple[Tensor, dict[str, Any]]] = {
    "transposed": (sparse(4, 3, 2, 2, keep=0.3), {}),
    "transposed, strided": (sparse(4, 3, 2, 2, keep=0.3), {"stride": 2}),
    "transposed, holes": (sparse(4, 3, 1, 1), {"stride": 2}),
    "transposed, padded": (sparse(4, 3, 3, 3, keep=0.2), {"stride": 2, "padding": 1}),
    "transposed, output padding": (
        sparse(4, 3, 3, 3, keep=0.2),
        {"stride": 2, "output_padding": 1},
    ),
    "transposed, grouped": (sparse(4, 3, 2, 2, keep=0.4), {"groups": 2}),
}


@pytest.mark.parametrize(("weight", "how"), PLAIN.values(), ids=PLAIN)
def test_a_convolution_by_element(weight: Tensor, how: dict[str, Any]) -> None:
    agree(lambda x: F.conv2d(x, weight, **how), (1, 4, 5, 4))


@pytest.mark.parametrize(("weight", "how"), PLAIN.values(), ids=PLAIN)
def test_a_convolution_by_channel(weight: Tensor, how: dict[str, Any]) -> None:
    """Patterns that do not vary over positions take another way through the code."""
    agree(lambda x: F.conv2d(x, weight, **how), (1, 4, 5, 4), channels=(1,), result_channels=(1,))


@pytest.mark.parametrize(("weight", "how"), TRANSPOSED.values(), ids=TRANSPOSED)
def test_a_transposed_convolution(weight: Tensor, how: dict[str, Any]) -> None:
    agree(lambda x: F.conv_transpose2d(x, weight, **how), (1, 4, 5, 4))
    agree(
        lambda x: F.conv_transpose2d(x, weight, **how),
        (1, 4, 5, 4),
        channels=(1,),
        result_channels=(1,),
    )


def test_other_numbers_of_dimensions() -> None:
    agree(lambda x: F.conv1d(x, sparse(3, 4, 3), padding=1), (2, 4, 5))
    agree(lambda x: F.conv3d(x, sparse(3, 2, 2, 2, 2)), (1, 2, 3, 2, 2))


# --- geometry by hand -----------------------------------------------------------------------------


def geometry(kernel: int, size: int, **how: Any) -> tuple[list[bool], list[bool], list[bool]]:
    operations = trace(
        Masked(
            lambda x: F.conv1d(x, torch.ones(1, 1, kernel), **how),
            torch.ones(1, 1, size),
            torch.ones(1),
        ),
        [meta_input((1, 1, size))],
    ).operations
    found = taps(next(op for op in operations if op.name == "convolution"))
    return found.used.tolist(), found.all_outputs.tolist(), found.all_inputs.tolist()


@pytest.mark.parametrize(
    ("kernel", "size", "how", "expected"),
    [
        (3, 4, {}, ([1, 1, 1], [1, 1, 1], [0, 0, 0])),  # 2 outputs; no tap meets all 4 inputs
        (3, 4, {"padding": 1}, ([1, 1, 1], [0, 1, 0], [0, 1, 0])),  # the middle tap meets all
        (1, 4, {}, ([1], [1], [1])),
        (1, 4, {"stride": 2}, ([1], [1], [0])),
        (3, 1, {"padding": 1}, ([0, 1, 0], [0, 1, 0], [0, 1, 0])),  # the others meet only padding
        (3, 2, {"padding": 1, "stride": 2}, ([0, 1, 1], [0, 1, 1], [0, 0, 0])),  # reads −1, 0, 1
        (1, 2, {"padding": 1}, ([1], [0], [1])),
        (3, 4, {"padding": 4, "dilation": 4}, ([0, 1, 0], [0, 1, 0], [0, 1, 0])),
    ],
)
def test_which_taps_meet_what(
    kernel: int, size: int, how: dict[str, int], expected: tuple[list[int], list[int], list[int]]
) -> None:
    """Taps that meet any input; that meet one at every output; that meet every input."""
    assert geometry(kernel, size, **how) == expected


@pytest.mark.parametrize("transposed", [False, True], ids=["plain", "transposed"])
def test_grouping_a_weight_and_back(transposed: bool) -> None:
    weight = sparse(4, 3, 2, 2) != 0
    convolve = F.conv_transpose2d if transposed else F.conv2d

    def forward(x: Tensor) -> Tensor:
        return convolve(x, weight.float(), groups=2)

    channels = 4 if transposed else 6
    result = forward(torch.zeros(1, channels, 3, 3))
    operations = trace(
        Masked(forward, torch.ones(1, channels, 3, 3), torch.ones_like(result)),
        [meta_input((1, channels, 3, 3))],
    ).operations
    op = next(op for op in operations if op.name == "convolution")
    grouped = by_group(op, weight)
    assert grouped.shape == ((2, 3, 2, 4) if transposed else (2, 2, 3, 4))
    assert torch.equal(from_group(op, grouped), weight)
    if transposed:  # weight[input, output]: input 3 is the second of group 1
        assert torch.equal(grouped[1, 2, 1], weight[3, 2].flatten())
    else:  # weight[output, input]: output 3 is the second of group 1
        assert torch.equal(grouped[1, 1, 2], weight[3, 2].flatten())
