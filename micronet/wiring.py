"""Which edges a wiring may have, how many it keeps, and which ones those are.

A wiring's edges are the entries of a matrix: row = target node, column = source node
(Wortsman, Farhadi, Rastegari, "Discovering Neural Wirings", NeurIPS 2019, section 3).
Budgets are plain integers; the selections need torch and import it when they are called.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING

from micronet.errors import MicronetError

if TYPE_CHECKING:
    from torch import Tensor

STEM_CHANNELS = 32
TINY_INPUT_NODES = 32
TINY_OUTPUT_NODES = 100


@dataclass(frozen=True)
class BlockShape:
    """One graph of the MobileNetV1-like wiring: all nodes of one spatial resolution.

    ``levels`` counts the rows of ``outputs`` nodes behind the ``inputs``; the last is the output.
    """

    inputs: int
    outputs: int
    stride: int
    levels: int

    @property
    def targets(self) -> int:
        """Rows of the edge matrix: every node but the inputs."""
        return self.levels * self.outputs

    @property
    def sources(self) -> int:
        """Columns of the edge matrix: every node but the outputs."""
        return self.inputs + (self.levels - 1) * self.outputs

    @property
    def stored_edges(self) -> int:
        """Entries of the edge matrix, those that no forward pass reads included."""
        return self.targets * self.sources

    @property
    def mobilenet_edges(self) -> int:
        """Edges of MobileNetV1's own pointwise convolutions at this resolution."""
        return self.inputs * self.outputs + (self.levels - 1) * self.outputs**2

    def edge_budget(self, density: float) -> int:
        """Edges kept when ``density`` stands for MobileNet's width multiplier: d² of its edges."""
        return kept_edges(self.mobilenet_edges, density, power=2)

    def released_prune_rate(self, prune_rate: float) -> float:
        """Share of stored entries that DNW's released code drops; its own floating-point steps.

        ``prune_rate`` is 1 - d (allenai/dnw, models/graphs/mobilenetv1like.py, ``Block``).
        """
        edges = self.inputs * self.outputs * (1 - prune_rate) * (1 - prune_rate)
        for _ in range(self.levels - 1):
            edges += self.outputs * self.outputs * (1 - prune_rate) * (1 - prune_rate)
        return 1 - edges / float(self.stored_edges)


def mobilenet_blocks(width: int) -> tuple[BlockShape, ...]:
    """The five graphs of the MobileNetV1-like wiring, every channel count times ``width``."""
    plain = ((32, 64, 1, 1), (64, 128, 2, 2), (128, 256, 2, 2), (256, 512, 2, 6), (512, 1024, 2, 2))
    return tuple(
        BlockShape(width * inputs, width * outputs, stride, levels)
        for inputs, outputs, stride, levels in plain
    )


def kept_edges(edges: int, density: float, power: int = 1) -> int:
    """``density ** power`` of ``edges``, rounded up: dropping truncates, so keeping rounds up.

    Exact: ``density`` is read as the decimal it is written as, 0.15 as 15/100.
    """
    return ceil(Fraction(str(density)) ** power * edges)


def classifier_budget(inputs: int, classes: int, density: float) -> int:
    """Edges of a sparse classifier, which keeps d (not d²) of its ``inputs`` × ``classes``."""
    return kept_edges(inputs * classes, density)


def legal_edges(block: BlockShape) -> Tensor:
    """Boolean [targets, sources]: may this edge exist? Only from a level to a later level."""
    import torch

    target_level = torch.arange(block.targets) // block.outputs + 1
    column = torch.arange(block.sources)
    source_level = torch.where(
        column < block.inputs, 0, (column - block.inputs) // block.outputs + 1
    )
    return target_level[:, None] > source_level[None, :]


def tiny_level_offsets(dim: int, steps: int) -> tuple[int, ...]:
    """First node of each level of the static tiny classifier, and ``dim`` at the end.

    32 inputs, then ``steps`` - 1 levels of equal size: 0, 32, 224, 416, 608, 800.
    """
    size, rest = divmod(dim - TINY_INPUT_NODES, steps - 1)
    if rest or size < TINY_OUTPUT_NODES:
        raise MicronetError(
            f"tiny_static cannot split dim = {dim} into {TINY_INPUT_NODES} inputs and "
            f"{steps - 1} equal levels of at least {TINY_OUTPUT_NODES} nodes.",
            "The published wiring has dim = 800, steps = 5.",
        )
    return (0, *range(TINY_INPUT_NODES, dim + 1, size))


def legal_tiny_edges(dim: int, steps: int) -> Tensor:
    """Boolean [dim, dim] of the static tiny classifier; its last level feeds the last 100 nodes."""
    import torch

    offsets = tiny_level_offsets(dim, steps)
    legal = torch.zeros(dim, dim, dtype=torch.bool)
    for start, stop in pairwise(offsets):
        legal[min(stop, dim - TINY_OUTPUT_NODES) :, start:stop] = True
    return legal


def keep_largest(weight: Tensor, kept: int, candidates: Tensor | None = None) -> Tensor:
    """Boolean mask of exactly ``kept`` entries of largest magnitude, of any shape.

    ``candidates`` (boolean, same shape) restricts the choice. Among equal magnitudes the lowest
    flat index wins, so that the same tensor gives the same wiring everywhere.
    """
    return _largest(_magnitude(weight, kept, candidates), kept)


def released_selection(weight: Tensor, prune_rate: float) -> Tensor:
    """Boolean mask of the entries DNW's released code keeps: all but int(prune_rate · numel).

    It ranks every entry, illegal ones included (allenai/dnw, models/graphs/util.py,
    ``ChooseTopEdges``). ``prune_rate`` is that of this graph: `BlockShape.released_prune_rate`.
    """
    return keep_largest(weight, weight.numel() - int(prune_rate * weight.numel()))


def keep_alive(weight: Tensor, kept: int, candidates: Tensor) -> Tensor:
    """Boolean mask of exactly ``kept`` candidates: the largest, but no node is left without edge.

    ``weight`` and ``candidates`` are [targets, sources]. Where the largest edges reach every
    node, this is `keep_largest`; else the strongest edge of each forgotten node replaces the
    weakest edges. A budget below the number of nodes reaches as many nodes as it can.
    """
    magnitude = _magnitude(weight, kept, candidates)
    favourites = _favourites(magnitude, candidates)
    if int(favourites.sum()) > kept:
        favourites = _cover_greedily(magnitude, kept)
    return _largest(magnitude.masked_fill_(favourites, float("inf")), kept)


def _magnitude(weight: Tensor, kept: int, candidates: Tensor | None) -> Tensor:
    """|weight|, and -1 where there is no candidate, which ranks below every edge."""
    available = weight.numel() if candidates is None else int(candidates.sum())
    if not 0 <= kept <= available:
        raise MicronetError(f"Cannot keep {kept} of {available} edges.", "Change the budget.")
    magnitude = weight.detach().abs()
    if magnitude.numel() and bool(magnitude.max().isnan()):
        raise MicronetError("Cannot rank edges: some weights are NaN.", "Use another checkpoint.")
    return magnitude if candidates is None else magnitude.masked_fill_(~candidates, -1.0)


def _largest(magnitude: Tensor, kept: int) -> Tensor:
    """Mask of the ``kept`` largest entries: all that reach a threshold, less the last ties."""
    import torch

    flat = magnitude.flatten()
    if kept == 0:
        return torch.zeros_like(magnitude, dtype=torch.bool)
    threshold = flat.kthvalue(flat.numel() - kept + 1).values
    mask = flat >= threshold
    surplus = int(mask.sum()) - kept
    if surplus:
        ties = (flat == threshold).nonzero().flatten()
        mask[ties[-surplus:]] = False
    return mask.view_as(magnitude)


def _favourites(magnitude: Tensor, candidates: Tensor) -> Tensor:
    """Mask of the strongest edge into each target and out of each source that has a candidate."""
    import torch

    mask = torch.zeros_like(candidates)
    rows = candidates.any(dim=1).nonzero().flatten()
    columns = candidates.any(dim=0).nonzero().flatten()
    mask[rows, magnitude[rows].argmax(dim=1)] = True
    mask[magnitude[:, columns].argmax(dim=0), columns] = True
    return mask


def _cover_greedily(magnitude: Tensor, kept: int) -> Tensor:
    """At most ``kept`` edges that reach many nodes: each new one prefers an unreached source."""
    import torch

    mask = torch.zeros_like(magnitude, dtype=torch.bool)
    unreached = magnitude.clone()
    strongest_first = magnitude.max(dim=1).values.argsort(descending=True, stable=True).tolist()
    for row in strongest_first[:kept]:
        preferred = unreached[row] if bool((unreached[row] >= 0).any()) else magnitude[row]
        column = int(preferred.argmax())
        if magnitude[row, column] >= 0:
            mask[row, column] = True
            unreached[:, column] = -1.0
    for column in (unreached >= 0).any(dim=0).nonzero().flatten().tolist():
        if int(mask.sum()) < kept:
            mask[int(magnitude[:, column].argmax()), column] = True
    return mask
