"""A second counter that shares nothing with the first: multiply by multiply, in plain Python.

A small network is a list of nodes. The interpreter below executes it scalar by scalar and writes every
scalar operation on a tape; reading the tape forward says which scalars can be nonzero, reading it
backward which reach the output. Then it counts what it executed. Nothing here is fast or clever, and
nothing is imported from micronet.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import product
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from tests.scoring.oracle_nodes import (
    BatchNorm,
    Concat,
    Conv,
    Flatten,
    Input,
    Linear,
    Mean,
    Network,
    Node,
    Pair,
    Pool,
    Relu,
    Scale,
    Shape,
    Slice,
    Zeros,
    extents,
    norm_before_which,
    norm_that_follows,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Counts:
    """What the oracle says, to be compared with the counter number by number."""

    multiplications: int
    additions: int
    other: int
    live: Mapping[str, frozenset[int]]
    """For each tensor, the positions of its live edges."""


class Tape:
    """Every scalar and the two operands it was made of, in the order of execution."""

    def __init__(self) -> None:
        self.value: list[float] = []
        self.can: list[bool] = []
        self.operands: list[tuple[str, int, int]] = []
        self.zero = self.leaf(0.0)

    def leaf(self, value: float, *, can: bool | None = None) -> int:
        """A scalar that is not computed: it can be nonzero if it is, or if ``can`` says so."""
        return self._write(value, value != 0 if can is None else can, "leaf", 0, 0)

    def multiply(self, a: int, b: int) -> int:
        can = self.can[a] and self.can[b]
        return self._write(self.value[a] * self.value[b], can, "multiply", a, b)

    def add(self, a: int, b: int) -> int:
        can = self.can[a] or self.can[b]
        return self._write(self.value[a] + self.value[b], can, "add", a, b)

    def maximum(self, a: int, b: int) -> int:
        can = self.can[a] or self.can[b]
        return self._write(max(self.value[a], self.value[b]), can, "maximum", a, b)

    def relu(self, a: int) -> int:
        return self._write(max(self.value[a], 0.0), self.can[a], "relu", a, a)

    def total(self, scalars: Sequence[int]) -> int:
        result, *rest = scalars
        for scalar in rest:
            result = self.add(result, scalar)
        return result

    def reaches(self, outputs: Sequence[int]) -> list[bool]:
        """For each scalar: does it reach an output through partners that can be nonzero?"""
        found = [False] * len(self.value)
        for scalar in outputs:
            found[scalar] = True
        for scalar in reversed(range(len(found))):
            kind, a, b = self.operands[scalar]
            if not found[scalar] or kind == "leaf":
                continue
            through_factor = kind == "multiply"
            found[a] = found[a] or not through_factor or self.can[b]
            found[b] = found[b] or not through_factor or self.can[a]
        return found

    def _write(self, value: float, can: bool, kind: str, a: int, b: int) -> int:
        self.value.append(value)
        self.can.append(can)
        self.operands.append((kind, a, b))
        return len(self.value) - 1


class Dot(NamedTuple):
    """One dot product at one position: its edges, and whether a bias is added."""

    node: int
    edges: tuple[tuple[str, int], ...]
    biased: bool


class Act(NamedTuple):
    """Scalar operations that make one element: they count if the element's channel is alive."""

    node: int
    channel: int
    result: int
    partners: tuple[int, ...]
    multiplications: int
    additions: int
    other: int


class Map(NamedTuple):
    """What a node computed: scalars in order of channel, row, column."""

    shape: Shape
    scalars: tuple[int, ...]

    def channel(self, i: int) -> tuple[int, ...]:
        size = len(self.scalars) // self.shape[0]
        return self.scalars[i * size : (i + 1) * size]

    def at(self, c: int, y: int, x: int, outside: int) -> int:
        _, height, width = self.shape
        inside = 0 <= y < height and 0 <= x < width
        return self.scalars[(c * height + y) * width + x] if inside else outside


class Run:
    """One execution of a network on one input."""

    def __init__(self, network: Network, image: Sequence[float]) -> None:
        self.network = network
        self.tape = Tape()
        self.edges = {
            (name, i): self.tape.leaf(value)
            for name, tensor in network.tensors.items()
            for i, value in enumerate(tensor.values)
        }
        self.dots: list[Dot] = []
        self.acts: list[Act] = []
        self.maps: list[Map] = []
        for i, node in enumerate(network.nodes):
            self.maps.append(self._execute(i, node, image))

    @property
    def outputs(self) -> list[list[float]]:
        """The values of every output of the network."""
        return [[self.tape.value[s] for s in self.maps[i].scalars] for i in self.network.outputs]

    def _execute(self, i: int, node: Node, image: Sequence[float]) -> Map:
        sources = [self.maps[source] for source in node.sources]
        match node:
            case Input():
                return Map(node.shape, tuple(self.tape.leaf(value, can=True) for value in image))
            case Linear():
                return self._linear(i, node, sources[0])
            case Conv():
                return self._conv(i, node, sources[0])
            case Pool():
                return self._pool(i, node, sources[0])
            case Zeros():
                shape = (node.channels, *sources[0].shape[1:])
                size = node.channels * len(sources[0].channel(0))
                return Map(shape, (self.tape.zero,) * size)
            case Concat():
                shape = (sum(m.shape[0] for m in sources), *sources[0].shape[1:])
                return Map(shape, tuple(s for m in sources for s in m.scalars))
            case Slice():
                parts = [sources[0].channel(c) for c in range(node.start, node.stop)]
                shape = (node.stop - node.start, *sources[0].shape[1:])
                return Map(shape, tuple(s for part in parts for s in part))
            case Flatten():
                return Map((len(sources[0].scalars),), sources[0].scalars)
            case _:
                return self._by_channel(i, node, sources)

    def _by_channel(self, i: int, node: Node, sources: Sequence[Map]) -> Map:
        source = sources[0]
        shape = (source.shape[0], 1, 1) if isinstance(node, Mean) else source.shape
        found = []
        for c in range(source.shape[0]):
            others = [m.channel(c) for m in sources[1:]]
            found += self._channel(i, node, c, source.channel(c), *others)
        return Map(shape, tuple(found))

    def _channel(
        self, i: int, node: Node, c: int, xs: Sequence[int], other: Sequence[int] = ()
    ) -> list[int]:
        tape = self.tape
        match node:
            case Mean():
                result = tape.multiply(tape.total(xs), tape.leaf(1 / len(xs)))
                self.acts.append(Act(i, c, result, (), 1, len(xs) - 1, 0))
                return [result]
            case Relu():
                found = [tape.relu(x) for x in xs]
                self.acts += [Act(i, c, result, (), 0, 0, 1) for result in found]
            case Pair():
                ys = other if len(other) == len(xs) else list(other) * len(xs)
                step = tape.add if node.kind == "add" else tape.multiply
                found = [step(x, y) for x, y in zip(xs, ys, strict=True)]
                adds = int(node.kind == "add")
                triples = zip(found, xs, ys, strict=True)
                self.acts += [Act(i, c, r, (x, y), 1 - adds, adds, 0) for r, x, y in triples]
            case Scale():
                factor = tape.leaf(node.factors[c])
                found = [tape.multiply(x, factor) for x in xs]
                pairs = zip(found, xs, strict=True)
                self.acts += [Act(i, c, r, (x, factor), 1, 0, 0) for r, x in pairs]
            case BatchNorm():
                slope = node.scale[c] / sqrt(node.variance[c])
                scale, shift = tape.leaf(slope), tape.leaf(node.shift[c] - node.mean[c] * slope)
                found = [tape.add(tape.multiply(x, scale), shift) for x in xs]
                folded = norm_before_which(self.network, i) is not None
                self.acts += [Act(i, c, r, (), 1, 1, 0) for r in found if not folded]
            case _:
                raise TypeError(node)
        return found

    def _linear(self, i: int, node: Linear, source: Map) -> Map:
        tensor = self.network.tensors[node.weight.tensor]
        positions = len(source.channel(0))
        found = []
        for row, position in product(node.weight.rows, range(positions)):
            pairs = [
                (tensor.at(row, column), source.channel(c)[position])
                for c, column in enumerate(node.weight.columns)
            ]
            found.append(self._dot(i, node, row, pairs))
        return Map((len(node.weight.rows), *source.shape[1:]), tuple(found))

    def _conv(self, i: int, node: Conv, source: Map) -> Map:
        tensor = self.network.tensors[node.weight.tensor]
        kernel = tensor.shape[2:]
        size = extents(source.shape, kernel, node.stride, node.padding, node.dilation)
        inputs, outputs = len(node.weight.columns), len(node.weight.rows) // node.groups
        found = []
        for out, y, x in product(range(len(node.weight.rows)), range(size[0]), range(size[1])):
            first = out // outputs * inputs
            pairs = []
            for c, v, u in product(range(inputs), range(kernel[0]), range(kernel[1])):
                edge = tensor.at(node.weight.rows[out], node.weight.columns[c], v, u)
                at_y = y * node.stride - node.padding + v * node.dilation
                at_x = x * node.stride - node.padding + u * node.dilation
                pairs.append((edge, source.at(first + c, at_y, at_x, self.tape.zero)))
            found.append(self._dot(i, node, node.weight.rows[out], pairs))
        return Map((len(node.weight.rows), *size), tuple(found))

    def _dot(self, i: int, node: Conv | Linear, row: int, pairs: Sequence[tuple[int, int]]) -> int:
        name, tape = node.weight.tensor, self.tape
        result = tape.total([tape.multiply(self.edges[name, e], x) for e, x in pairs])
        biased = node.bias is not None or norm_that_follows(self.network, i) is not None
        self.dots.append(Dot(i, tuple((name, e) for e, _ in pairs), biased))
        if node.bias is not None:
            result = tape.add(result, tape.leaf(node.bias[node.weight.rows.index(row)]))
        return result

    def _pool(self, i: int, node: Pool, source: Map) -> Map:
        tape = self.tape
        size = extents(source.shape, (node.size, node.size), node.stride, node.padding)
        average = node.kind == "average"
        outside = tape.zero if average else tape.leaf(float("-inf"), can=False)
        found = []
        for c, y, x in product(range(source.shape[0]), range(size[0]), range(size[1])):
            top, left = y * node.stride - node.padding, x * node.stride - node.padding
            taps = product(range(node.size), range(node.size))
            window = [source.at(c, top + v, left + u, outside) for v, u in taps]
            if average:
                result = tape.multiply(tape.total(window), tape.leaf(1 / len(window)))
            else:
                result = window[0]
                for scalar in window[1:]:
                    result = tape.maximum(result, scalar)
            steps = len(window) - 1
            self.acts.append(
                Act(i, c, result, (), int(average), steps * average, steps * (not average))
            )
            found.append(result)
        return Map((source.shape[0], *size), tuple(found))


def count(run: Run) -> Counts:
    """Count the executed scalar operations, by these conventions.

    A live edge is executed at all positions of its layer, padding included: positions are never
    dropped. n live products need n − 1 additions; a bias one more, unless no edge of the row is live
    (then the row is a constant). Other elements count by whole live channels; a sum or product of two
    counts the channels in which both operands can be nonzero at a position that reaches the output.
    """
    tape = run.tape
    reaches = tape.reaches([s for i in run.network.outputs for s in run.maps[i].scalars])
    live = {edge for edge, leaf in run.edges.items() if tape.can[leaf] and reaches[leaf]}
    multiplications = additions = other = 0
    for dot in run.dots:
        products = sum(edge in live for edge in dot.edges)
        multiplications += products
        additions += max(products - 1, 0) + (dot.biased and products > 0)
    alive = Counter(
        (act.node, act.channel)
        for act in run.acts
        if tape.can[act.result] and reaches[act.result] and all(tape.can[p] for p in act.partners)
    )
    for act in run.acts:
        if (act.node, act.channel) in alive:
            multiplications += act.multiplications
            additions += act.additions
            other += act.other
    tensors = run.network.tensors
    by_tensor = {n: frozenset(e for name, e in live if name == n) for n in tensors}
    return Counts(multiplications, additions, other, by_tensor)
