"""Which Value every tensor stands for: buffers, views of them, and writes in place.

Tracing turns in-place operators into pure ones. A write through one view of a buffer makes every other
view of it stale; a stale view that is read again is re-derived from the buffer's latest content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from micronet.scoring.ir import Geometry, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


class _Entry(NamedTuple):
    tensor: Tensor  # held, so that its id() and its storage are not used again
    value: Value
    storage: int
    version: int


def geometry(tensor: Tensor) -> Geometry:
    """Where the elements of ``tensor`` lie in its storage."""
    elements = tensor.untyped_storage().nbytes() // tensor.element_size()
    return Geometry(
        tuple(tensor.shape), tensor.stride(), int(tensor.storage_offset()), int(elements)
    )


def storage_key(tensor: Tensor) -> int:
    """An identifier of the storage of ``tensor``, unique while the tensor lives."""
    return int(tensor.untyped_storage()._cdata)  # the only identity a meta storage has


def _flat(content: Tensor, where: Geometry) -> Tensor:
    flat = content.new_zeros(where.storage_elements)
    flat.as_strided(where.size, where.stride, where.offset).copy_(content)
    return flat


def overlay(content: Tensor, update: Tensor, where: Geometry, there: Geometry) -> Tensor:
    """``content`` (a buffer seen as ``where``) after ``update`` was written to its part ``there``."""
    flat = _flat(content, where)
    flat.as_strided(there.size, there.stride, there.offset).copy_(update)
    return flat.as_strided(where.size, where.stride, where.offset)


def reread(content: Tensor, where: Geometry, there: Geometry) -> Tensor:
    """The part ``there`` of a buffer whose content is known as ``where``."""
    return _flat(content, where).as_strided(there.size, there.stride, there.offset)


class Memory:
    """The tensors seen so far and what they hold now."""

    def __init__(self, emit: Callable[..., Value]) -> None:
        """``emit(function, *arguments)`` applies a data-moving function to Values."""
        self._emit = emit
        self._entries: dict[int, _Entry] = {}
        self._content: dict[int, tuple[Value, Geometry]] = {}
        self._version: dict[int, int] = {}

    def record(self, tensor: Tensor, value: Value, *, alone: bool = False) -> None:
        """From now on ``tensor`` holds ``value``.

        ``alone``: the operator promises that nobody else reads this part of the storage
        (``unsafe_split``), so that writing to it makes nothing stale.
        """
        key = -id(tensor) if alone else storage_key(tensor)
        self._entries[id(tensor)] = _Entry(tensor, value, key, self._version.get(key, 0))
        if key not in self._content:
            self._content[key] = (value, geometry(tensor))

    def lookup(self, tensor: Tensor) -> Value | None:
        """What ``tensor`` holds now; None if it was never seen."""
        entry = self._entries.get(id(tensor))
        if entry is None:
            return self._through_storage(tensor)
        key = entry.storage
        if key > 0 and key != storage_key(tensor):  # ``tensor.data = …`` gave it another storage
            key = storage_key(tensor)
            if key not in self._content:
                return None
        version = self._version.get(key, 0)
        if key == entry.storage and version == entry.version:
            return entry.value
        content, where = self._content[key]
        there = geometry(tensor)
        value = content if there == where else self._emit(reread, content, where, there)
        self._entries[id(tensor)] = _Entry(tensor, value, key, version)
        return value

    def _through_storage(self, tensor: Tensor) -> Value | None:
        """What an unseen handle (``nn.Parameter(x)``, ``x.as_subclass(…)``) on a known buffer holds."""
        key = storage_key(tensor)
        if key not in self._content or not self._content[key][0].dynamic:
            return None
        content, where = self._content[key]
        there = geometry(tensor)
        value = content if there == where else self._emit(reread, content, where, there)
        self._entries[id(tensor)] = _Entry(tensor, value, key, self._version.get(key, 0))
        return value

    def write(self, tensor: Tensor, value: Value) -> None:
        """``tensor`` was overwritten in place and now holds ``value``: its other views are stale."""
        key = self._entries[id(tensor)].storage
        content, where = self._content[key]
        there = geometry(tensor)
        covers = tensor.numel() == there.storage_elements
        if covers or there == where:
            self._content[key] = (value, there)
        else:
            self._content[key] = (self._emit(overlay, content, value, where, there), where)
        version = self._version.get(key, 0) + 1
        self._version[key] = version
        self._entries[id(tensor)] = _Entry(tensor, value, key, version)


def meta_twin(tensor: Tensor) -> Tensor:
    """A tensor of the same shape, strides and type that holds no data."""
    return torch.empty_strided(
        tensor.shape, tensor.stride(), dtype=tensor.dtype, device=torch.device("meta")
    )
