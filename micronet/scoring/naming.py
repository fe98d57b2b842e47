"""What a model calls its tensors, and by which of several names to call what comes from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn.parameter import UninitializedParameter

from micronet.scoring.memory import storage_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor, nn


class Names:
    """The parameters and buffers of a model, by the storage that they live in."""

    def __init__(self, model: nn.Module) -> None:
        self._at: dict[int, tuple[Tensor, list[str]]] = {}
        self._sizes: dict[str, tuple[bool, int]] = {}
        kinds = ((model.named_parameters, True), (model.named_buffers, False))
        for named, learned in kinds:
            for name, tensor in named(remove_duplicate=False):
                if type(tensor) is not UninitializedParameter:
                    self._at.setdefault(storage_key(tensor), (tensor, []))[1].append(name)
                    self._sizes[name] = (learned, tensor.numel())

    def at(self, key: int) -> tuple[Tensor, list[str]] | None:
        """The tensor at a storage and all its names, parameters first; None if none lives there."""
        return self._at.get(key)

    def best(self, sources: Iterable[str], elements: int) -> str | None:
        """What to call ``elements`` elements made from ``sources``: rather the weight than its mask."""

        def rank(name: str) -> tuple[bool, bool, str]:
            learned, size = self._sizes.get(name, (False, 0))
            return size != elements, not learned, name

        return min(sources, key=rank, default=None)
