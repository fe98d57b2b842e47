"""Views of one buffer: a write through one of them is read through all."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from micronet.scoring.ir import Value
from micronet.scoring.memory import Memory, geometry, meta_twin, overlay, reread, storage_key


def test_overlay_writes_one_part_of_a_buffer() -> None:
    base = torch.arange(12.0).view(3, 4)
    part = base[:, 1:3]
    found = overlay(base, torch.full((3, 2), -1.0), geometry(base), geometry(part))
    expected = base.clone()
    expected[:, 1:3] = -1
    assert torch.equal(found, expected)
    assert base[0, 1] == 1  # a pure function


@pytest.mark.parametrize(
    "view",
    [lambda b: b.t(), lambda b: b[1], lambda b: b[:, ::2], lambda b: b.view(2, 6), lambda b: b[1:, 1:]],
    ids=["transposed", "row", "every other column", "reshaped", "corner"],
)  # fmt: skip
def test_rereading_gives_what_a_view_shows(view: Any) -> None:
    base = torch.arange(12.0).view(3, 4)
    assert torch.equal(reread(base, geometry(base), geometry(view(base))), view(base))


def test_a_buffer_known_through_a_transposed_view_is_reread_in_its_own_order() -> None:
    base = torch.arange(12.0).view(3, 4)
    assert torch.equal(reread(base.t(), geometry(base.t()), geometry(base)), base)


class Diary:
    """A memory that writes down what it derives."""

    def __init__(self) -> None:
        self.derived: list[str] = []
        self.memory = Memory(self.emit)

    def emit(self, function: Any, *arguments: Any) -> Value:
        self.derived.append(function.__name__)
        return value(arguments[0].shape)


def value(shape: tuple[int, ...]) -> Value:
    return Value(shape, torch.float32, dynamic=True)


def recorded(diary: Diary, tensor: Tensor) -> Value:
    found = value(tuple(tensor.shape))
    diary.memory.record(tensor, found)
    return found


def test_a_tensor_never_seen_is_unknown() -> None:
    assert Diary().memory.lookup(torch.empty(3)) is None


def test_a_write_makes_every_other_view_stale_and_the_written_one_fresh() -> None:
    diary, base = Diary(), torch.empty(4)
    left, right = base[:2], base[2:]
    for tensor in (base, left, right):
        recorded(diary, tensor)
    written = value((2,))
    diary.memory.write(left, written)
    assert diary.memory.lookup(left) is written
    assert diary.derived == ["overlay"]
    diary.memory.lookup(right)
    assert diary.derived == ["overlay", "reread"]
    diary.memory.lookup(right)  # derived once
    assert diary.derived == ["overlay", "reread"]


def test_a_write_to_all_of_a_buffer_needs_no_overlay() -> None:
    diary, base = Diary(), torch.empty(4)
    recorded(diary, base)
    written = value((4,))
    diary.memory.write(base, written)
    assert diary.memory.lookup(base) is written
    assert diary.derived == []


def test_tensors_apart_do_not_make_each_other_stale() -> None:
    diary, one, two = Diary(), torch.empty(4), torch.empty(4)
    recorded(diary, one)
    kept = recorded(diary, two)
    diary.memory.write(one, value((4,)))
    assert diary.memory.lookup(two) is kept


def test_parts_that_an_operator_gives_away_alone_do_not_make_each_other_stale() -> None:
    diary, base = Diary(), torch.empty(4)
    left, right = base[:2], base[2:]
    diary.memory.record(left, value((2,)), alone=True)
    kept = value((2,))
    diary.memory.record(right, kept, alone=True)
    diary.memory.write(left, value((2,)))
    assert diary.memory.lookup(right) is kept


def test_a_twin_has_the_strides_of_its_tensor_and_no_data() -> None:
    tensor = torch.empty(2, 3, 4, 5).to(memory_format=torch.channels_last)
    twin = meta_twin(tensor)
    assert twin.is_meta
    assert (twin.shape, twin.stride(), twin.dtype) == (tensor.shape, tensor.stride(), tensor.dtype)


def test_views_share_a_storage_key_and_copies_do_not() -> None:
    for device in ("cpu", "meta"):
        base = torch.empty(4, device=device)
        assert storage_key(base) == storage_key(base[1:]) != storage_key(base.clone())
