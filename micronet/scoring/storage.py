"""What has to be stored: every value needed for inference, at its measured width (Scoring §1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from micronet.errors import MicronetError
from micronet.scoring import patterns
from micronet.scoring.bits import FULL, HALF, UNKNOWN, Width, measure
from micronet.scoring.blocks import Mask, cheapest
from micronet.scoring.folding import bias_of, weight_of
from micronet.scoring.liveness.mixing import is_affine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from micronet.scoring.ir import Operation, Root, Value
    from micronet.scoring.work import Network

_NORMS = (
    "native_batch_norm",
    "_native_batch_norm_legit_no_training",
    "native_layer_norm",
    "native_group_norm",
)


@dataclass(frozen=True)
class Stored:
    """One stored tensor: what it is, how many of its elements are kept, and how wide they are."""

    name: str
    role: str
    """"values", "bias" or "normalisation"."""
    root: int
    shape: tuple[int, ...]
    stored: int
    """Elements in the file."""
    active: int
    """Elements that are not zero."""
    live: int
    """Elements that are needed."""
    width: Width
    mask: Mask
    edges: bool
    """Whether its elements are weights of a linear operator."""
    sources: frozenset[str] = frozenset()
    """Parameters and buffers that its values come from; none for what code makes up (masks)."""

    @property
    def quantised(self) -> bool:
        """Whether somebody stored it in fewer bits than the 16 that anybody may claim for free."""
        return self.width.quantised and bool(self.sources)

    def value_bits(self, freebie_bits: int) -> int:
        """Bits of all kept values, without mask and table; ``freebie_bits`` 0: as measured."""
        each = self.width.bits_with_zero if self.mask.zeros else self.width.bits
        return (min(each, freebie_bits) if freebie_bits else each) * self.mask.values


class Inventory:
    """Everything that the traced network reads, tensor by tensor, tied tensors once."""

    def __init__(self, network: Network, *, fold: bool) -> None:
        self._network = network
        self._fold = fold
        self._weights: dict[int, Value] = {}
        self._roles: dict[int, str] = {}
        self._norms: list[tuple[int, Operation]] = []
        self._same = same_roots(network)
        for i, op in enumerate(network.trace.operations):
            self._sort(i, op)

    def _sort(self, i: int, op: Operation) -> None:
        weight = weight_of(op)
        if weight is not None:
            self._weights.setdefault(weight.root, weight)
        bias = bias_of(op)
        if bias is not None and not bias.dynamic:
            self._roles.setdefault(bias.root, "bias")
        if op.name in _NORMS:
            for value in op.inputs[1:]:
                self._roles.setdefault(value.root, "normalisation")
            if is_affine(op):
                self._norms.append((i, op))

    def stored(self) -> Iterator[Stored]:
        """Every tensor with its cost; batch norms as the scale and shift that they really are."""
        affine = {value.root for _, op in self._norms for value in op.inputs[1:]}
        for key in self._needed():
            root = self._network.trace.roots[key]
            if key in affine or not root.dtype.is_floating_point or key in self._moved():
                continue
            if key in self._weights:
                yield self._weight(key, root)
            else:
                yield self._plain(key, root)
        yield from self._norm_values()

    def unused(self) -> list[str]:
        """Names of floating-point parameters and buffers that are read but never reach the output."""
        used, roots = self._network.liveness.used, self._network.trace.roots
        return sorted(
            root.name
            for key, root in roots.items()
            if key in self._network.liveness.read and not root.derived and not _any(used, key)
        )

    def _needed(self) -> list[int]:
        found: dict[int, None] = {}
        for key in self._network.liveness.read:
            sources = self._network.trace.roots[key].moved_from
            for needed in {key} if self._is_copy(key) else sources or {key}:
                found.setdefault(self._same.get(needed, needed), None)
        return list(found)

    def _moved(self) -> set[int]:
        """Roots that only repeat others: their sources are stored instead."""
        roots = self._network.trace.roots
        return {key for key, root in roots.items() if root.moved_from and not self._is_copy(key)}

    def _is_copy(self, key: int) -> bool:
        """A weight that is all of one tensor, laid out anew: it is stored as it is used."""
        roots = self._network.trace.roots
        sources = roots[key].moved_from
        same_size = [roots[s].elements == roots[key].elements for s in sources]
        return key in self._weights and same_size == [True]

    def _mask(self, key: int, masks: Mapping[int, Tensor | None]) -> Tensor:
        """The union of the flat masks of a root and of what was computed alike or moved from it."""
        mask = torch.zeros(1, dtype=torch.bool)
        for other, root in self._network.trace.roots.items():
            same = other == key or self._same.get(other) == key
            if (same or key in root.moved_from) and other in masks:
                part = masks[other] if same else None
                mask = torch.ones(1, dtype=torch.bool) if part is None else mask | part
        return mask.expand(-1) if mask.numel() > 1 else mask

    def _weight(self, key: int, root: Root) -> Stored:
        liveness = self._network.liveness
        content = root.tensor
        size = root.elements
        used = self._mask(key, liveness.used)
        read = self._mask(key, liveness.read)
        if content is None:  # built without memory: dense by assumption
            live = size if used.numel() == 1 and used.item() else int(used.expand(size).sum())
            mask = Mask(0, live, ())
            return Stored(
                root.name,
                "values",
                key,
                root.shape,
                size,
                size,
                live,
                UNKNOWN,
                mask,
                edges=True,
                sources=root.parameters,
            )
        flat = _flat(content)
        nonzero = flat != 0
        needed = nonzero & used
        active, live = int(nonzero.count_nonzero()), int(needed.count_nonzero())
        width = _width(flat, needed, root.shape, all_live=live == size)
        if live == size:
            mask = Mask(0, live, ())
            if width.levels == 1:  # a constant says nothing about how values are coded
                width = UNKNOWN
        else:
            mask = _mask_of(_like(content, needed), _like(content, read.expand(size)), width)
        return Stored(
            root.name,
            "values",
            key,
            root.shape,
            size,
            active,
            live,
            width,
            mask,
            edges=True,
            sources=root.parameters,
        )

    def _plain(self, key: int, root: Root) -> Stored:
        """Biases, embeddings, constants: every element that reaches the output is kept, zero or not."""
        liveness = self._network.liveness
        used = self._mask(key, liveness.used)
        live = root.elements * bool(used.item()) if used.numel() == 1 else int(used.count_nonzero())
        role = self._roles.get(key, "values")
        width, active = UNKNOWN, root.elements
        if root.tensor is not None:
            flat = _flat(root.tensor)
            active = int((flat != 0).sum())
            kept = flat[used.expand(flat.numel())]
            width = measure(kept) if role == "values" and live > 64 else UNKNOWN
            if width.levels == 1:  # a constant says nothing about how values are coded
                width = UNKNOWN
        return Stored(
            root.name,
            role,
            key,
            root.shape,
            root.elements,
            active,
            live,
            width,
            Mask(0, live, ()),
            edges=False,
            sources=root.parameters,
        )

    def _norm_values(self) -> Iterator[Stored]:
        """Scale and shift of each live channel; folded: the shift alone, unless it joins a bias."""
        folded = self._network.folds if self._fold else {}
        seen: set[tuple[int, ...]] = set()
        for i, op in self._norms:
            identity = tuple(value.root for value in op.inputs[1:])
            if identity in seen:
                continue
            seen.add(identity)
            channels = op.inputs[0].shape[1]
            alive = self._network.liveness.alive(op.outputs[0])
            live = patterns.count(_over_channels(alive), (1, channels) + (1,) * (alive.ndim - 2))
            each = 2
            if i in folded:
                before = self._network.trace.operations[folded[i]]
                each = 0 if bias_of(before) is not None else 1
            name = op.module or self._network.trace.roots[op.inputs[1].root].name
            count = live * each
            yield Stored(
                name,
                "normalisation",
                0,
                (channels,),
                channels * each,
                count,
                count,
                Width(FULL),
                Mask(0, count, ()),
                edges=False,
                sources=frozenset().union(
                    *(self._network.trace.roots[value.root].parameters for value in op.inputs[1:])
                ),
            )


def declared(tensors: tuple[Stored, ...], bits: int) -> tuple[Stored, ...]:
    """The tensors with every weight at ``bits``; MicronetError names those whose values need more."""
    wide = [t for t in tensors if t.edges and t.live and t.width.bits > bits]
    if wide:
        first = wide[0]
        levels = f", {first.width.levels:,} distinct values" if first.width.levels else ""
        more = f" and {len(wide) - 1} more" if len(wide) > 1 else ""
        raise MicronetError(
            f"--bits {bits} contradicts the values: {first.name} needs {first.width.bits} bits "
            f"({first.width.code}{levels}){more}.",
            "Leave --bits out to price every tensor at its measured width.",
        )
    return tuple(
        replace(t, width=replace(t.width, bits=bits)) if t.edges and t.live else t for t in tensors
    )


def same_roots(network: Network) -> dict[int, int]:
    """Derived constants that hold the same values from the same sources: computed twice, stored once."""
    first: dict[tuple[object, ...], list[int]] = {}
    found: dict[int, int] = {}
    roots = network.trace.roots
    for key in network.liveness.read:
        root = roots[key]
        if not root.derived:
            continue
        group = first.setdefault((root.parameters, root.shape, root.dtype), [])
        for other in group:
            have = roots[other].tensor
            if root.tensor is None or have is None or torch.equal(have, root.tensor):
                found[key] = other
                break
        else:
            group.append(key)
    return found


def _any(masks: object, key: int) -> bool:
    mask = masks.get(key, False)  # type: ignore[attr-defined]
    return mask is None or (mask is not False and bool(mask.any()))


def _flat(content: Tensor) -> Tensor:
    """All elements of the storage that ``content`` lives in, in memory order."""
    storage = content.untyped_storage()
    return torch.empty(0, dtype=content.dtype).set_(storage)


def _over_channels(alive: Tensor) -> Tensor:
    for dim in range(alive.ndim):
        if dim != 1 and alive.shape[dim] > 1:
            alive = alive.any(dim=dim, keepdim=True)
    return alive


def _width(flat: Tensor, needed: Tensor, shape: tuple[int, ...], *, all_live: bool) -> Width:
    values = flat if all_live else flat[needed]
    channels = None
    if len(shape) > 1 and flat.numel() == torch.Size(shape).numel() and values.numel():
        per_row = flat.numel() // shape[0]
        if _few_in_a_row(flat, shape[0]):
            where = torch.arange(flat.numel()) if all_live else needed.nonzero().flatten()
            channels = where // per_row
    return measure(values, channels)


def _few_in_a_row(flat: Tensor, rows: int) -> bool:
    """Whether the first row repeats values at all (else per-channel codes are not worth a look)."""
    row = flat[: flat.numel() // rows]
    row = row[row != 0]
    return row.numel() > 16 and row.unique().numel() < row.numel()


def _like(content: Tensor, flat: Tensor) -> Tensor:
    """A flat mask of a storage, seen as the tensor that lies in it."""
    view = flat.contiguous().as_strided(content.shape, content.stride(), content.storage_offset())
    return view if view.ndim > 1 else view.reshape(1, -1)


def _mask_of(live: Tensor, read: Tensor, width: Width) -> Mask:
    """The cheapest mask over the live rows and columns of a weight.

    A row or column without a live edge belongs to a dead channel and is not stored at all; elements
    that the network never reads (a wiring's backward edges) have no place in the stored tensor.
    """
    rows = live.flatten(1).any(1)
    live, read = live[rows], read[rows]
    if not live.numel():
        return Mask(0, 0, ())
    columns = live.transpose(0, 1).flatten(1).any(1)
    live, read = live[:, columns], read[:, columns]
    bits = width.bits if width.quantised else min(width.bits, HALF)
    with_zero = width.bits_with_zero if width.quantised else bits
    if bool(read.all()):
        return cheapest(live if live.ndim == 2 else live.flatten(2), bits, with_zero)
    place, ones = int(read.count_nonzero()), int(live.count_nonzero())
    choices = (Mask(place, ones, (1,)), Mask(0, place, (), zeros=ones < place))
    return min(choices, key=lambda mask: mask.total(bits, with_zero))
