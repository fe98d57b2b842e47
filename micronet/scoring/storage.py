"""What has to be stored: every value needed for inference, at its measured width (Scoring §1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch

from micronet.errors import MicronetError
from micronet.scoring import patterns
from micronet.scoring.bits import FULL, UNKNOWN, Width
from micronet.scoring.blocks import Mask
from micronet.scoring.folding import bias_of, weight_of
from micronet.scoring.liveness.mixing import is_affine
from micronet.scoring.packing import flat_of, mask_of, width_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from micronet.scoring.facts import Facts
    from micronet.scoring.ir import Operation, Root, Value

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


_WEIGHED: WeakKeyDictionary[Facts, dict[int, Stored]] = WeakKeyDictionary()


class Inventory:
    """Everything that the traced network reads, tensor by tensor, tied tensors once."""

    def __init__(self, network: Facts, *, fold: bool) -> None:
        self._network = network
        self._fold = fold
        self._weights: dict[int, Value] = {}
        self._roles: dict[int, str] = {}
        self._norms: list[tuple[int, Operation]] = []
        self._same = same_roots(network)
        self._kin: dict[int, list[int]] = {}  # roots that hold a root's elements, itself included
        for other, root in network.trace.roots.items():
            for key in {other, self._same.get(other, other), *root.moved_from}:
                self._kin.setdefault(key, []).append(other)
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
        affine |= self._biases_in_shifts()
        moved = self._moved()
        joined = self._joined(moved)
        for key in self._needed():
            root = self._network.trace.roots[key]
            edges = key in self._weights or key in joined
            if key in affine or key in moved:
                continue
            if root.dtype.is_complex:  # nor do the acts know complex arithmetic
                raise MicronetError(
                    f"A complex tensor has no price: {root.name}.",
                    "Compute in real and imaginary parts.",
                )
            if edges:
                yield self._weight(key, root)
            elif root.dtype.is_floating_point:  # integers elsewhere are positions
                yield self._plain(key, root)
        yield from self._norm_values()

    def _biases_in_shifts(self) -> set[int]:
        """Biases of layers whose batch norm folds: they are part of its shift."""
        operations = self._network.trace.operations
        layers = self._network.folds.values() if self._fold else ()
        biases = (bias_of(operations[layer]) for layer in layers)
        return {bias.root for bias in biases if bias is not None}

    def coarse(self) -> frozenset[int]:
        """Weights whose code has no room for a scale of each channel."""
        roots = self._network.trace.roots
        return frozenset(
            key
            for key in self._weights
            if (width := self._weight(self._same.get(key, key), roots[key]).width).quantised
            and width.code != "grid per channel"
        )

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

    def _joined(self, moved: set[int]) -> set[int]:
        """Roots that weights were put together from (concatenated, repeated)."""
        roots = self._network.trace.roots
        sources = (roots[key].moved_from for key in self._weights if key in moved)
        return {self._same.get(source, source) for group in sources for source in group}

    def _is_copy(self, key: int) -> bool:
        """A weight that is stored as it is used: all of one tensor, or picked by a stored index."""
        roots = self._network.trace.roots
        sources = roots[key].moved_from
        same_size = [roots[s].elements == roots[key].elements for s in sources]
        return key in self._weights and (same_size == [True] or roots[key].looked_up)

    def _mask(self, key: int, masks: Mapping[int, Tensor | None]) -> Tensor:
        """The union of the flat masks of a root and of what was computed alike or moved from it."""
        mask = torch.zeros(1, dtype=torch.bool)
        for other in self._kin.get(key, ()):
            same = other == key or self._same.get(other) == key
            if other in masks:
                part = masks[other] if same else None
                mask = torch.ones(1, dtype=torch.bool) if part is None else mask | part
        return mask.expand(-1) if mask.numel() > 1 else mask

    def _weight(self, key: int, root: Root) -> Stored:
        known = _WEIGHED.setdefault(self._network, {})
        if key not in known:
            known[key] = self._weigh(key, root)
        return known[key]

    def _weigh(self, key: int, root: Root) -> Stored:
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
        flat = flat_of(content)
        nonzero = flat != 0
        needed = nonzero & used
        active, live = int(nonzero.count_nonzero()), int(needed.count_nonzero())
        width = width_of(content, needed)
        if live == size:
            mask = Mask(0, live, ())
            if width.levels == 1:  # a constant says nothing about how values are coded
                width = UNKNOWN
        else:
            mask = mask_of(content, needed, read.expand(size), width)
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
            flat = flat_of(root.tensor)
            active = int(flat.count_nonzero())
            # Zeros that code makes, and tensors of nothing but zeros, are no values to store.
            if not root.parameters or (role == "values" and active == 0):
                live = int((flat != 0).logical_and(used).count_nonzero())
            if role == "values" and live > 64:
                width = width_of(root.tensor, used.expand(flat.numel()))
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
        largest: dict[tuple[int, ...], Stored] = {}
        for i, op in self._norms:
            identity = tuple(value.root for value in op.inputs[1:])
            found = self._norm(i, op)
            if identity not in largest or found.live > largest[identity].live:
                largest[identity] = found  # a norm may fold at one call and not at another
        yield from largest.values()

    def _norm(self, i: int, op: Operation) -> Stored:
        trace, folded = self._network.trace, self._network.folds if self._fold else {}
        channels = op.inputs[0].shape[1]
        alive = _over_channels(self._network.liveness.alive(op.outputs[0]))
        each = 2
        if i in folded:
            each = 1
        live = each * patterns.count(alive, (1, channels) + (1,) * (alive.ndim - 2))
        sources = (trace.roots[value.root].parameters for value in op.inputs[1:])
        return Stored(
            op.module or trace.roots[op.inputs[1].root].name,
            "normalisation",
            0,
            (channels,),
            channels * each,
            live,
            live,
            Width(FULL),
            Mask(0, live, ()),
            edges=False,
            sources=frozenset[str]().union(*sources),
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


def same_roots(network: Facts) -> dict[int, int]:
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


def _over_channels(alive: Tensor) -> Tensor:
    for dim in range(alive.ndim):
        if dim != 1 and alive.shape[dim] > 1:
            alive = alive.any(dim=dim, keepdim=True)
    return alive
