"""Operators that only move data: exact element by element."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.scoring.liveness.empirical import Function, agree, masks, predicted

INDEX = torch.tensor([2, 0, 2])

MOVES: dict[str, Function] = {
    "reshape": lambda x: x.reshape(4, 6),
    "transpose": lambda x: x.transpose(1, 2).reshape(2, 12),
    "permute": lambda x: x.permute(2, 0, 1),
    "expand": lambda x: x[:, :1].expand(2, 3, 4) * 1,
    "repeat": lambda x: x.repeat(1, 2, 1),
    "flip": lambda x: x.flip(1),
    "roll": lambda x: x.roll((1, 2), (1, 2)),
    "slice": lambda x: x[:, 1:, ::2],
    "negative slice": lambda x: x[..., -2:],
    "select": lambda x: x[:, -1],
    "by index": lambda x: x[:, INDEX],
    "by index, negative": lambda x: x[:, torch.tensor([-1, 0])],
    "index_select": lambda x: x.index_select(1, INDEX),
    "gather": lambda x: x.gather(1, INDEX.view(1, 3, 1).expand(2, 3, 4)),
    "concatenation": lambda x: torch.cat([x, x.flip(1)[:, :1], x], 1),
    "concatenation in the last": lambda x: torch.cat([x[..., :1], x], -1),
    "stack": lambda x: torch.stack([x[:, 0], x[:, 2]], 2),
    "split": lambda x: torch.cat([part * (k + 1) for k, part in enumerate(x.split([1, 2], 1))], 1),
    "chunk, one unread": lambda x: x.chunk(2, 2)[1] * 1,
    "unbind": lambda x: x.unbind(1)[1] + x.unbind(1)[0],
    "padding": lambda x: F.pad(x, (1, 0, 0, 2)),
    "padding that crops": lambda x: F.pad(x, (-1, 1)),
    "padding, not with zero": lambda x: F.pad(x, (1, 1), value=2.0),
    "reflection": lambda x: F.pad(x, (2, 1), mode="reflect"),
    "replication": lambda x: F.pad(x, (2, 1), mode="replicate"),
    "circular": lambda x: F.pad(x, (2, 1), mode="circular"),
    "lower triangle": torch.tril,
    "upper triangle": lambda x: x.triu(1),
    "diagonal": lambda x: x.diagonal(0, 1, 2) * 1,
    "diagonal matrix": lambda x: torch.diag_embed(x[:, 0]),
    "unfold": lambda x: x.unfold(2, 2, 1) * 1,
    "squeezed": lambda x: x[:, None].squeeze(1) * 1,
    "with a constant": lambda x: torch.cat([x, torch.zeros(2, 1, 4), torch.ones(2, 1, 4)], 1),
    "cast": lambda x: x.double().float(),
}  # fmt: skip


@pytest.mark.parametrize("function", MOVES.values(), ids=MOVES)
def test_every_element_is_followed(function: Function) -> None:
    agree(function, (2, 3, 4))


@pytest.mark.parametrize("function", MOVES.values(), ids=MOVES)
def test_channels_are_followed_where_patterns_do_not_vary_otherwise(function: Function) -> None:
    agree(function, (2, 3, 4), channels=(1,))


IMAGES: dict[str, Function] = {
    "channel shuffle": lambda x: F.channel_shuffle(x, 2),
    "pixel shuffle": lambda x: F.pixel_shuffle(x, 2),
    "pixel unshuffle": lambda x: F.pixel_unshuffle(x, 2),
    "im2col": lambda x: F.unfold(x, 2, stride=2),
    "col2im": lambda x: F.fold(F.unfold(x, 2), (2, 2), 2),
}  # fmt: skip


@pytest.mark.parametrize("function", IMAGES.values(), ids=IMAGES)
def test_images_are_rearranged(function: Function) -> None:
    agree(function, (1, 4, 2, 2))


# --- writes ---------------------------------------------------------------------------------------


def filled(x: Tensor) -> Tensor:
    y = x * 1
    y[:, 1] = 0
    y[:, 2, ::2] = 3
    return y * 1


def copied(x: Tensor) -> Tensor:
    y = torch.zeros(2, 3, 4)
    y[:, :2].copy_(x[:, 1:])
    return y * 1


def broadcast_copy(x: Tensor) -> Tensor:
    y = torch.ones(2, 3, 4)
    y.copy_(x[:, :1])
    return y * 1


def overwritten(x: Tensor) -> Tensor:
    """What was there before the write does not reach the result."""
    y = x * 1
    y[:, 0] = x[:, 1]
    return y * 1


@pytest.mark.parametrize(
    "function", [filled, copied, broadcast_copy, overwritten], ids=lambda f: f.__name__
)
def test_writes_in_place(function: Function) -> None:
    agree(function, (2, 3, 4))


# --- look-ups -------------------------------------------------------------------------------------


def test_an_index_that_depends_on_the_input_keeps_every_element_alive() -> None:
    """Which row is taken is not known: all may be."""
    fed = masks(2, 3, 4, seed=0)
    found = predicted(
        lambda x: x.gather(1, x.argmax(1, keepdim=True)), fed, torch.ones(2, 1, 4, dtype=torch.bool)
    )
    assert all(found.nonzero)
    assert all(found.reached)


@pytest.mark.parametrize("zero", [None, 1], ids=["dense", "a column is zero"])
def test_an_embedding_can_be_nonzero_where_a_column_of_its_table_is(zero: int | None) -> None:
    table = torch.ones(5, 3)
    if zero is not None:
        table[:, zero] = 0
    found = predicted(lambda x: F.embedding(x.long(), table), torch.ones(2), torch.ones(2, 3))
    assert found.nonzero == [column != zero for column in range(3)] * 2
