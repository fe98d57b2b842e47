"""Small networks as plain lists of nodes, for the oracle and for the torch modules beside it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Shape = tuple[int, ...]  # (channels, height, width) or (features,)


@dataclass(frozen=True)
class Stored:
    """A weight tensor as it lies in the file: [out, in / groups, height, width] or [out, in]."""

    shape: Shape
    values: tuple[float, ...]

    def at(self, *index: int) -> int:
        """Position in ``values`` of an element."""
        flat = 0
        for extent, i in zip(self.shape, index, strict=True):
            flat = flat * extent + i
        return flat


@dataclass(frozen=True)
class Weight:
    """A rectangular part of a stored tensor: several nodes may read parts of one tensor."""

    tensor: str
    rows: range
    columns: range


@dataclass(frozen=True)
class Input:
    shape: Shape
    sources: tuple[int, ...] = ()


@dataclass(frozen=True)
class Linear:
    """A dot product a row; a matrix used on a map of positions is a 1×1 convolution."""

    sources: tuple[int]
    weight: Weight
    bias: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Conv:
    sources: tuple[int]
    weight: Weight
    bias: tuple[float, ...] | None = None
    groups: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1


@dataclass(frozen=True)
class BatchNorm:
    """With stored statistics and epsilon 0: variances are powers of 4, so that nothing is rounded."""

    sources: tuple[int]
    mean: tuple[float, ...]
    variance: tuple[float, ...]
    scale: tuple[float, ...]
    shift: tuple[float, ...]


@dataclass(frozen=True)
class Relu:
    sources: tuple[int]


@dataclass(frozen=True)
class Pair:
    """Elementwise sum or product; the right operand may be one scalar a channel."""

    sources: tuple[int, int]
    kind: Literal["add", "multiply"]


@dataclass(frozen=True)
class Scale:
    """Each channel times a stored factor."""

    sources: tuple[int]
    factors: tuple[float, ...]


@dataclass(frozen=True)
class Zeros:
    """An accumulator of ``channels`` before anything is added, over the positions of its source."""

    sources: tuple[int]
    channels: int


@dataclass(frozen=True)
class Concat:
    sources: tuple[int, ...]


@dataclass(frozen=True)
class Slice:
    """Channels from ``start`` to ``stop``."""

    sources: tuple[int]
    start: int
    stop: int


@dataclass(frozen=True)
class Pool:
    sources: tuple[int]
    kind: Literal["average", "max"]
    size: int
    stride: int
    padding: int = 0


@dataclass(frozen=True)
class Mean:
    """Global mean over positions, as (channels, 1, 1)."""

    sources: tuple[int]


@dataclass(frozen=True)
class Flatten:
    sources: tuple[int]


Node = (
    Input
    | Linear
    | Conv
    | BatchNorm
    | Relu
    | Pair
    | Scale
    | Zeros
    | Concat
    | Slice
    | Pool
    | Mean
    | Flatten
)


@dataclass(frozen=True)
class Network:
    """Node 0 is the input; each node reads nodes before it."""

    nodes: tuple[Node, ...]
    tensors: Mapping[str, Stored]
    outputs: tuple[int, ...]

    def shapes(self) -> list[Shape]:
        """The shape of every node's result."""
        found: list[Shape] = []
        for node in self.nodes:
            found.append(_shape(node, [found[source] for source in node.sources], self.tensors))
        return found

    def readers(self, node: int) -> list[int]:
        """Who reads a node, as often as they do."""
        return [
            i for i, reader in enumerate(self.nodes) for source in reader.sources if source == node
        ]

    def calls(self, tensor: str) -> list[int]:
        """The nodes that read a part of a tensor."""
        return [
            i
            for i, node in enumerate(self.nodes)
            if isinstance(node, (Conv, Linear)) and node.weight.tensor == tensor
        ]


def _shape(node: Node, sources: list[Shape], tensors: Mapping[str, Stored]) -> Shape:
    if isinstance(node, Input):
        return node.shape
    source = sources[0]
    match node:
        case Linear():
            return (len(node.weight.rows), *source[1:])
        case Conv():
            kernel = tensors[node.weight.tensor].shape[2:]
            size = extents(source, kernel, node.stride, node.padding, node.dilation)
            return (len(node.weight.rows), *size)
        case Pool():
            return (source[0], *extents(source, (node.size, node.size), node.stride, node.padding))
        case Zeros():
            return (node.channels, *source[1:])
        case Concat():
            return (sum(shape[0] for shape in sources), *source[1:])
        case Slice():
            return (node.stop - node.start, *source[1:])
        case Mean():
            return (source[0], 1, 1)
        case Flatten():
            return (prod(source),)
        case _:
            return source


def extents(shape: Shape, kernel: Shape, stride: int, padding: int, dilation: int = 1) -> Shape:
    """How many positions a window takes along height and width."""
    pairs = zip(shape[1:], kernel, strict=True)
    return tuple((n + 2 * padding - dilation * (k - 1) - 1) // stride + 1 for n, k in pairs)


def norm_that_follows(network: Network, linear: int) -> int | None:
    """The norm that folds into a convolution or linear layer.

    It is the only reader of a result that is no output, and the weight has no other use.
    """
    readers = network.readers(linear)
    node = network.nodes[linear]
    if len(readers) != 1 or linear in network.outputs or not isinstance(node, (Conv, Linear)):
        return None
    alone = network.calls(node.weight.tensor) == [linear]
    return readers[0] if alone and isinstance(network.nodes[readers[0]], BatchNorm) else None


def norm_before_which(network: Network, norm: int) -> int | None:
    """The convolution or linear layer that a norm folds into."""
    source = network.nodes[norm].sources[0]
    return source if norm_that_follows(network, source) == norm else None
