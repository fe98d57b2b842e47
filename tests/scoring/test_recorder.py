"""Operators of mixed types, and writes in place: what is zero afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from tests.scoring.bills import bill, edges
from tests.scoring.members import Convolution, Forward

if TYPE_CHECKING:
    from collections.abc import Callable

# --- operands of different types ------------------------------------------------------------------

MIXED: dict[str, Callable[[Tensor], Tensor]] = {
    "activation times its own sign": lambda x: x * (x > 0),
    "masked fill": lambda x: x.masked_fill(torch.tensor([[True, False]] * 2), -1.0),
    "where": lambda x: torch.where(torch.tensor([[True, False]] * 2), x, 0.0),
    "where with two activations": lambda x: torch.where(x > 0, x, x * 2),
    "integer constant": lambda x: x * torch.arange(1, 3),
    "double constant": lambda x: x * torch.ones(2, dtype=torch.float64),
}


@pytest.mark.parametrize("forward", MIXED.values(), ids=MIXED)
def test_an_operator_may_mix_types(forward: Callable[[Tensor], Tensor]) -> None:
    """The convolution after it keeps all its edges: no channel is zero."""
    found = bill(Convolution(lambda m, x: m.conv(forward(x))), (1, 4, 2, 2))
    assert edges(found) == (8, 8, 8)


def test_a_mask_that_is_zero_over_a_channel_kills_its_edges() -> None:
    mask = torch.tensor([True, False, True, True]).view(4, 1, 1)
    assert edges(bill(Convolution(lambda m, x: m.conv(x * mask)), (1, 4, 2, 2))) == (8, 8, 6)
    assert edges(
        bill(Convolution(lambda m, x: m.conv(torch.where(mask, x, 0.0))), (1, 4, 2, 2))
    ) == (
        8,
        8,
        6,
    )


# --- writes ---------------------------------------------------------------------------------------


def sliced_times_zero(m: Any, x: Tensor) -> Any:
    y = x * 2
    y[:, :2] *= 0
    return m.conv(y)


def view_zeroed(m: Any, x: Tensor) -> Any:
    y = x * 2
    view = y[:, :2]
    view.zero_()
    return m.conv(y)


def stale_view(m: Any, x: Tensor) -> Any:
    y = x * 2
    view = y[:, :2]
    y.zero_()
    return m.conv(torch.cat([view, x[:, 2:]], 1))


def copied_into_zeros(m: Any, x: Tensor) -> Any:
    y = torch.zeros(1, 4, 2, 2)
    y[:, 1:3].copy_(x[:, 1:3])
    return m.conv(y)


def assigned_by_number(m: Any, x: Tensor) -> Any:
    y = torch.zeros_like(x)
    y[:, 0] = x[:, 0]
    y[:, 3] = x[:, 3]
    return m.conv(y)


def filled_twice(m: Any, x: Tensor) -> Any:
    y = x * 2
    y[:, 1:3] = 0
    y[:, 2:] = x[:, :2]
    y[:, 3] = 0
    return m.conv(y)


def scaled_in_a_nested_view(m: Any, x: Tensor) -> Any:
    y = x * 2
    y.view(1, 2, 2, 4)[:, 1].mul_(0)
    return m.conv(y)


WRITES = (
    sliced_times_zero,
    view_zeroed,
    stale_view,
    copied_into_zeros,
    assigned_by_number,
    filled_twice,
    scaled_in_a_nested_view,
)


@pytest.mark.parametrize("forward", WRITES, ids=lambda f: f.__name__)
def test_two_of_four_channels_are_zero_after_writing_in_place(forward: Forward) -> None:
    assert edges(bill(Convolution(forward), (1, 4, 2, 2))) == (8, 8, 4)


def test_the_result_may_be_written_where_the_caller_says() -> None:
    def forward(m: Any, x: Tensor) -> Any:
        return m.conv(torch.mul(x, 2, out=torch.empty(1, 4, 2, 2, device=x.device)))

    found = bill(Convolution(forward), (1, 4, 2, 2))
    assert edges(found) == (8, 8, 8)
    assert found.cost.multiplications == 16 + 8 * 4
