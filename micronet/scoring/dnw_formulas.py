"""The arithmetic of DNW's own counters, on plain numbers, to the last unit.

Sources: for the wirings allenai/dnw, genutil/model_profiling.py and the ``profiling`` methods of
models/graphs/mobilenetv1like.py; for the entry to the MicroNet Challenge mitchellnw/micro-net-dnw,
image_classification/model_profiling.py. Both count multiply-accumulates; batch norms, biases, ReLUs
and sums cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from micronet.wiring import BlockShape

NODE_WEIGHTS = 3 * 3
STEM_WEIGHTS = 3 * 3 * 3
SIDE = 224 // 2
"""Height and width of the first graph: the code assumes images of 224 pixels, whatever they are."""


@dataclass(frozen=True)
class ReleaseLayer:
    """One row of the count.

    ``alive`` of ``of`` are nodes; in ResNet-50 they are its nonzero edges, in a sparse classifier
    the edges in its budget. ``budget`` is the exact value of the floating-point number of edges
    that the counter uses; None where it counts nodes alone.
    """

    name: str
    parameters: int
    macs: int
    alive: int
    of: int
    budget: Fraction | None = None


@dataclass(frozen=True)
class ReleaseCount:
    """What the code prints for one network."""

    layers: tuple[ReleaseLayer, ...]
    notes: tuple[str, ...] = ()

    @property
    def parameters(self) -> int:
        """Weights of convolutions and the classifier; no bias, no batch norm."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates; an averaged element counts as one."""
        return sum(layer.macs for layer in self.layers)

    def row(self, name: str) -> ReleaseLayer:
        """The row of that name."""
        return next(layer for layer in self.layers if layer.name == name)


@dataclass(frozen=True)
class AliveNodes:
    """What is alive in one graph, looking one edge far.

    A node that is read only by a dead node is alive, and so is one without an edge in.
    """

    shape: BlockShape
    inputs: int
    """Inputs with an edge to any target, a node of its own or an earlier level included."""
    nodes: int
    """The same of all nodes that compute something: inputs and hidden levels."""
    outputs: int
    """Nodes of the last level with an edge from any source."""


def everything_alive(shape: BlockShape) -> AliveNodes:
    """A graph without dead nodes."""
    return AliveNodes(shape, shape.inputs, shape.sources, shape.outputs)


def positions(graph: int) -> int:
    """Output positions of the nodes of graph 0, 1, …: the side halves from one to the next."""
    return (SIDE >> graph) ** 2


def count_wiring(
    graphs: Sequence[AliveNodes], prune_rate: float, classes: int, *, sparse_classifier: bool
) -> ReleaseCount:
    """The printed count of a MobileNetV1-like wiring; ``prune_rate`` is 1 - d."""
    first, last = graphs[0], graphs[-1]
    stem = STEM_WEIGHTS * first.inputs
    features = last.shape.outputs
    pooled = last.outputs * positions(len(graphs) - 1)
    return ReleaseCount(
        (
            ReleaseLayer("conv1", stem, stem * positions(0), first.inputs, first.shape.inputs),
            *(_graph(index, graph, prune_rate) for index, graph in enumerate(graphs)),
            ReleaseLayer("pool", 0, pooled, last.outputs, features),
            _sparse_classifier(features * classes, prune_rate)
            if sparse_classifier
            else _dense_classifier(last, classes),
        )
    )


def _graph(index: int, graph: AliveNodes, prune_rate: float) -> ReleaseLayer:
    """Nodes of 9 weights, and edges: all stored entries times the share that is kept, a float."""
    kept = 1 - graph.shape.released_prune_rate(prune_rate)
    edges = graph.shape.stored_edges * kept
    side = SIDE >> index
    weights = NODE_WEIGHTS * graph.nodes
    return ReleaseLayer(
        f"layers.{index}",
        promoted_sum(weights, edges),
        promoted_sum(weights * positions(index), edges * side * side),
        graph.nodes,
        graph.shape.sources,
        Fraction(edges),
    )


def promoted_sum(whole: int, real: float) -> int:
    """``int(torch.tensor(whole) + real)``: the sum is rounded to float32, then cut off.

    So the code counts under any torch that promotes types. Its pinned torch 1.0.1 cut ``real`` off
    before the sum; where the two differ at all, it is by a few units in tens of millions.
    """
    return int(np.float32(whole) + np.float32(real))


def _sparse_classifier(entries: int, prune_rate: float) -> ReleaseLayer:
    """A share of all entries, cut off; alive or dead features make no difference."""
    edges = entries * (1 - prune_rate)
    return ReleaseLayer("linear", int(edges), int(edges), int(edges), entries, Fraction(edges))


def _dense_classifier(last: AliveNodes, classes: int) -> ReleaseLayer:
    edges = last.outputs * classes
    return ReleaseLayer("linear", edges, edges, last.outputs, last.shape.outputs)


def count_pruned(
    name: str, nonzero: int, weights: int, uses: int, prune_rate: float
) -> ReleaseLayer:
    """A convolution of the challenge entry: the kept share of its dense counts, each cut off.

    ``uses`` is its number of output positions. Taken from the rate: ``nonzero`` is only reported.
    """
    kept = 1 - prune_rate
    return ReleaseLayer(
        name,
        int(kept * weights),
        int(kept * (weights * uses)),
        nonzero,
        weights,
        Fraction(kept * weights),
    )


def stem_and_nodes(count: ReleaseCount) -> tuple[int, int]:
    """(multiply-accumulates, weights) of the stem and of all nodes alive in a wiring."""
    stem = count.row("conv1")
    graphs = [layer for layer in count.layers if layer.name.startswith("layers.")]
    weights = [NODE_WEIGHTS * layer.alive for layer in graphs]
    macs = sum(weight * positions(index) for index, weight in enumerate(weights))
    return stem.macs + macs, stem.parameters + sum(weights)
