"""Pickles read as data agree with Python's own reading, and mean nothing more."""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import pickle
import struct
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from micronet.checkpoints.reductions import Inert, Name
from micronet.checkpoints.source import Cursor, RefusedError
from micronet.checkpoints.unpickle import load_pickle


def read(content: bytes) -> Any:
    return load_pickle(Cursor(memoryview(content)))


SCALARS = st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(SCALARS, inner) | st.lists(inner).map(tuple),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(VALUES, st.integers(0, 5))
def test_plain_values_are_read_as_python_reads_them(value: Any, protocol: int) -> None:
    assert read(pickle.dumps(value, protocol)) == value


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_refused_or_read_but_nothing_else(content: bytes) -> None:
    """No other exception than the reader's own, whatever the bytes."""
    with contextlib.suppress(RefusedError):
        read(b"\x80\x02" + content)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 400), st.integers(0, 255))
@example(at=40, byte=92)  # a text with an escape that Python does not know, which it warns of
def test_a_flipped_byte_is_refused_or_read_but_nothing_else(at: int, byte: int) -> None:
    body = bytearray(pickle.dumps({"a": [1, 2.5, "x", (3, b"y")], "b": {"c": np.float32(1)}}, 2))
    body[at % len(body)] = byte
    with contextlib.suppress(RefusedError):
        read(bytes(body))


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("made", [set, frozenset])
def test_sets_become_lists(made: type, protocol: int) -> None:
    assert read(pickle.dumps(made([5]), protocol)) == [5]


@pytest.mark.parametrize(
    "scalar",
    [
        np.float64(0.609),
        np.float32(-2.5),
        np.int64(-7),
        np.uint8(200),
        np.float16(0.5),
        np.bool_(1),
    ],
    ids=lambda scalar: type(scalar).__name__,
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_numpy_scalars_become_python_numbers(scalar: Any, protocol: int) -> None:
    found = read(pickle.dumps(scalar, protocol))
    assert type(found) in (float, int, bool)
    assert found == scalar.item()


def test_a_numpy_scalar_of_the_other_byte_order_keeps_its_value() -> None:
    native = pickle.dumps(np.float64(1.5), 4)
    little, big = struct.pack("<d", 1.5), struct.pack(">d", 1.5)
    assert native.count(little) == 1
    other = native.replace(little, big).replace(b"\x8c\x01<", b"\x8c\x01>")
    assert other != native.replace(little, big)  # the order really is in there
    assert read(other) == 1.5


def test_ordered_dictionaries_and_sizes_become_plain() -> None:
    ordered = collections.OrderedDict([("a", 1), ("b", 2)])
    value = {"ordered": ordered, "size": torch.Size([2, 3])}
    assert read(pickle.dumps(value, 4)) == {"ordered": {"a": 1, "b": 2}, "size": (2, 3)}


def test_an_unknown_object_is_an_inert_record_of_its_parts() -> None:
    found = read(pickle.dumps(dt.timedelta(days=2), 2))
    assert isinstance(found, Inert)
    assert (found.name, found.arguments) == ("datetime.timedelta", (2, 0, 0))


def test_foreign_classes_keep_name_and_state() -> None:
    content = b"\x80\x02ctrain\nMeter\n)\x81}X\x03\x00\x00\x00sumK\x03sb."
    found = read(content)
    assert isinstance(found, Inert)
    assert (found.name, found.arguments, found.state) == ("train.Meter", (), {"sum": 3})


def test_a_name_is_two_texts_even_for_what_is_imported() -> None:
    assert read(b"cposix\nsystem\n.") == Name("posix", "system")


def test_state_set_on_a_shared_function_changes_nothing() -> None:
    """BUILD on a function of the table would reach every later file, were it obeyed."""
    assert read(b"ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb.") == Name(
        "torch._utils", "_rebuild_tensor_v2"
    )


def test_the_cursor_stands_behind_the_pickle() -> None:
    cursor = Cursor(memoryview(pickle.dumps(1, 2) + pickle.dumps("two", 2) + b"rest"))
    assert (load_pickle(cursor), load_pickle(cursor), cursor.read(4)) == (1, "two", b"rest")
