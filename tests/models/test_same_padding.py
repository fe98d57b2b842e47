"""SAME padding: output sizes round up, the odd pixel is at the end, padding is never averaged."""

from __future__ import annotations

import pytest
import torch

from micronet.models.same_padding import SameConv2d, same_padding, same_pool3


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (28, 3, 1, (1, 1)),
        (28, 3, 2, (0, 1)),
        (28, 5, 2, (1, 2)),
        (28, 7, 2, (2, 3)),
        (111, 3, 2, (1, 1)),
        (224, 3, 2, (0, 1)),
        (28, 1, 2, (0, 0)),
    ],
)
def test_padding_of_one_axis(
    size: int, kernel: int, stride: int, expected: tuple[int, int]
) -> None:
    assert same_padding(size, kernel, stride) == expected


def test_strided_convolution_of_an_even_map_starts_at_the_first_pixel() -> None:
    """Kernel of ones on 1…4: windows (1, 2, 3) and (3, 4, pad); torch begins with (pad, 1, 2)."""
    layer = SameConv2d(1, 1, 3, stride=2)
    torch.nn.init.ones_(layer.weight)
    row = torch.tensor([[1.0, 2.0, 3.0, 4.0], *[[0.0] * 4] * 3])

    out = layer(row[None, None])

    assert out[0, 0].tolist() == [[6.0, 7.0], [0.0, 0.0]]


def test_average_leaves_out_the_padding() -> None:
    """On 1…4 at stride 2: (1 + 2 + 3) / 3 and (3 + 4) / 2; all rows are equal."""
    image = torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(1, 1, 4, 4)

    assert same_pool3(image, "avg", 2)[0, 0].tolist() == [[2.0, 3.5], [2.0, 3.5]]


def test_average_of_an_odd_map_is_symmetric() -> None:
    """On 1…3 at stride 2: (1 + 2) / 2 and (2 + 3) / 2."""
    image = torch.tensor([1.0, 2.0, 3.0]).expand(1, 1, 3, 3)

    assert same_pool3(image, "avg", 2)[0, 0].tolist() == [[1.5, 2.5], [1.5, 2.5]]


def test_maximum_ignores_the_padding() -> None:
    """All values are negative, so a zero from the padding would win."""
    image = torch.tensor([-1.0, -2.0, -3.0, -4.0]).expand(1, 1, 4, 4)

    assert same_pool3(image, "max", 2)[0, 0].tolist() == [[-1.0, -3.0], [-1.0, -3.0]]
