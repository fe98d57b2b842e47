"""Random small networks for the oracle: every kind of node, dead ends, dead rows and columns."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from hypothesis import strategies as st

from tests.scoring import oracle_nodes as nodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn

_MAGNITUDES = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)


@dataclass
class Draft:
    """A network while it grows."""

    draw: DrawFn
    positive: bool
    random: random.Random
    steps: list[nodes.Node] = field(default_factory=list)
    tensors: dict[str, nodes.Stored] = field(default_factory=dict)

    def add(self, node: nodes.Node) -> int:
        self.steps.append(node)
        return len(self.steps) - 1

    def shape(self, node: int) -> nodes.Shape:
        return nodes.Network(tuple(self.steps), self.tensors, ()).shapes()[node]

    def made(self) -> list[int]:
        """The nodes to go on from: an empty accumulator is no activation."""
        return [i for i, node in enumerate(self.steps) if not isinstance(node, nodes.Zeros)]

    def whole(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, max(low, high)))

    def number(self, zero: float = 0.0, *, negative: bool | None = None) -> float:
        """A random value; in a positive network it has the sign that keeps activations positive."""
        if self.random.random() < zero:
            return 0.0
        minus = self.random.random() < 0.5 if negative is None else negative
        return self.random.choice(_MAGNITUDES) * (-1 if minus else 1)

    def tensor(self, *shape: int) -> str:
        """A new weight with random zeros, and sometimes with whole rows and columns of zeros."""
        r = self.random
        zero = r.choice((0.0, 0.0, 0.3, 0.6))
        lost = r.choice((0.0, 0.0, 0.0, 0.4))
        rows = [r.random() < lost for _ in range(shape[0])]
        columns = [r.random() < lost for _ in range(shape[1])]
        taps = 1
        for extent in shape[2:]:
            taps *= extent
        sign = False if self.positive else None
        values = tuple(
            0.0 if rows[i] or columns[j] else self.number(zero, negative=sign)
            for i in range(shape[0])
            for j in range(shape[1])
            for _ in range(taps)
        )
        name = f"weight{len(self.tensors)}"
        self.tensors[name] = nodes.Stored(shape, values)
        return name

    def vector(self, size: int, zero: float, *, negative: bool = False) -> tuple[float, ...]:
        sign = negative if self.positive else None
        return tuple(self.number(zero, negative=sign) for _ in range(size))

    def bias(self, size: int) -> tuple[float, ...] | None:
        return self.vector(size, 0.5) if self.draw(st.booleans()) else None

    def full(self, name: str) -> nodes.Weight:
        rows, columns = self.tensors[name].shape[:2]
        return nodes.Weight(name, range(rows), range(columns))


def _conv(draft: Draft, source: int) -> int:
    channels, height, width = draft.shape(source)
    groups = draft.draw(st.sampled_from([g for g in (1, 1, 2, 3, channels) if channels % g == 0]))
    outputs = groups * draft.whole(1, 6 // groups)
    padding, stride, dilation = draft.whole(0, 2), draft.whole(1, 2), draft.whole(1, 2)
    largest = [(extent + 2 * padding - 1) // dilation + 1 for extent in (height, width)]
    tall, wide = (draft.whole(1, min(3, most)) for most in largest)
    name = draft.tensor(outputs, channels // groups, tall, wide)
    bias = draft.bias(outputs)
    node = nodes.Conv((source,), draft.full(name), bias, groups, stride, padding, dilation)
    return draft.add(node)


def _linear(draft: Draft, source: int) -> int:
    outputs = draft.whole(1, 5)
    weight = draft.full(draft.tensor(outputs, draft.shape(source)[0]))
    return draft.add(nodes.Linear((source,), weight, draft.bias(outputs)))


def _norm(draft: Draft, source: int) -> int:
    size = draft.shape(source)[0]
    variance = tuple(draft.random.choice((0.25, 1.0, 4.0)) for _ in range(size))
    mean, shift = draft.vector(size, 0.7, negative=True), draft.vector(size, 0.7)
    scale = draft.vector(size, 0.15)
    return draft.add(nodes.BatchNorm((source,), mean, variance, scale, shift))


def _relu(draft: Draft, source: int) -> int:
    return draft.add(nodes.Relu((source,)))


def _pair(draft: Draft, source: int) -> int:
    shape = draft.shape(source)
    kind: Literal["add", "multiply"] = "add" if draft.draw(st.booleans()) else "multiply"
    fitting = [
        i
        for i in draft.made()
        if draft.shape(i) == shape or (len(shape) == 3 and draft.shape(i) == (shape[0], 1, 1))
    ]
    other = draft.draw(st.sampled_from(fitting))
    return draft.add(nodes.Pair((source, other), kind))


def _scale(draft: Draft, source: int) -> int:
    return draft.add(nodes.Scale((source,), draft.vector(draft.shape(source)[0], 0.3)))


def _concat(draft: Draft, source: int) -> int:
    shape = draft.shape(source)
    fitting = [
        i
        for i in draft.made()
        if draft.shape(i)[1:] == shape[1:] and draft.shape(i)[0] + shape[0] <= 8
    ]
    return (
        draft.add(nodes.Concat((source, draft.draw(st.sampled_from(fitting)))))
        if fitting
        else source
    )


def _slice(draft: Draft, source: int) -> int:
    size = draft.shape(source)[0]
    start = draft.whole(0, size - 1)
    return draft.add(nodes.Slice((source,), start, draft.whole(start + 1, size)))


def _pool(draft: Draft, source: int) -> int:
    _, height, width = draft.shape(source)
    size = draft.whole(1, min(3, height, width))
    kind: Literal["average", "max"] = "average"
    if not draft.positive and draft.draw(st.booleans()):
        kind = "max"
    padding, stride = draft.whole(0, size // 2), draft.whole(1, 3)
    return draft.add(nodes.Pool((source,), kind, size, stride, padding))


def _mean(draft: Draft, source: int) -> int:
    return draft.add(nodes.Mean((source,)))


def _flatten(draft: Draft, source: int) -> int:
    return draft.add(nodes.Flatten((source,)))


def _wiring(draft: Draft, source: int) -> int:
    """A wiring: levels of channels, every edge an element of one matrix, sums in accumulators."""
    first = draft.shape(source)[0]
    sizes = [first, *(draft.whole(1, 2) for _ in range(draft.whole(1, 3)))]
    matrix = draft.tensor(sum(sizes), sum(sizes))
    taps = draft.tensor(sum(sizes), 1, 3, 3)
    starts = [sum(sizes[:level]) for level in range(len(sizes) + 1)]
    levels = [source]
    for level in range(1, len(sizes)):
        here = range(starts[level], starts[level + 1])
        total = draft.add(nodes.Zeros((source,), sizes[level]))
        for below in range(level):
            part = nodes.Weight(matrix, here, range(starts[below], starts[below + 1]))
            term = draft.add(nodes.Linear((levels[below],), part))
            total = draft.add(nodes.Pair((total, term), "add"))
        weight = nodes.Weight(taps, here, range(1))
        depthwise = nodes.Conv((total,), weight, None, sizes[level], 1, 1, 1)
        levels.append(_relu(draft, _norm(draft, draft.add(depthwise))))
    kept = draft.whole(1, len(levels) - 1)
    return draft.add(nodes.Concat(tuple(levels[kept:])))


_ON_MAPS: tuple[Callable[[Draft, int], int], ...] = (
    _conv,
    _conv,
    _conv,
    _norm,
    _relu,
    _pair,
    _scale,
    _concat,
    _slice,
    _pool,
    _mean,
    _flatten,
    _linear,
    _wiring,
)
_ON_FEATURES: tuple[Callable[[Draft, int], int], ...] = (
    _linear,
    _linear,
    _norm,
    _relu,
    _pair,
    _scale,
    _concat,
    _slice,
)


@st.composite
def networks(draw: DrawFn, *, positive: bool = False) -> nodes.Network:
    """A network of up to a dozen steps.

    ``positive``: neither a ReLU nor a sum can ever turn a nonzero into zero, and nothing is compared,
    so that an edge is live exactly if the output depends on it.
    """
    draft = Draft(draw, positive, random.Random(draw(st.integers(0, 2**32))))  # noqa: S311  # no secret
    shape = tuple(draw(st.integers(1, most)) for most in (3, 5, 5))
    current = draft.add(nodes.Input(shape))
    for _ in range(draw(st.integers(3, 9))):
        if draw(st.integers(0, 3)) == 0:  # go on from an older node: branches, dead ends
            current = draw(st.sampled_from(draft.made()))
        current = draw(
            st.sampled_from(_ON_MAPS if len(draft.shape(current)) == 3 else _ON_FEATURES)
        )(draft, current)
    outputs = {current, *draw(st.lists(st.sampled_from(draft.made()), max_size=1))}
    return nodes.Network(tuple(draft.steps), draft.tensors, tuple(sorted(outputs)))
