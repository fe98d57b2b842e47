"""Cells and the skeleton that stacks them, shared by NASNet-A and PNASNet-5.

A cell sees ``h`` (the previous cell, projected) and ``p`` (the cell before that, fitted); every
node is the sum of two operations, and the output is a concatenation of nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from micronet.models.nasnet_operations import FactorizedReduction, Project, batch_norm, operation

if TYPE_CHECKING:
    from collections.abc import Iterable

STEM_CHANNELS = 32


@dataclass(frozen=True)
class Genotype:
    """A cell on paper: for each node n2, n3, … (operation, source, operation, source)."""

    nodes: tuple[tuple[str, str, str, str], ...]
    concat: tuple[str, ...]


@dataclass(frozen=True)
class CellPlan:
    """One cell of a network: its genotype, the ``width`` of each of its nodes, and its stride."""

    genotype: Genotype
    width: int
    stride: int = 1


class Cell(nn.Module):
    """[batch, current, h, w] and the map of the cell before → [batch, outputs, h', w'].

    ``previous`` is None in the very first cell: there p is the cell's only input, as it is.
    ``halve_previous`` says that the map of the cell before is twice as large.
    """

    def __init__(
        self, plan: CellPlan, current: int, previous: int | None, *, halve_previous: bool
    ) -> None:
        super().__init__()
        width = plan.width
        self.genotype = plan.genotype
        self.outputs = width * len(plan.genotype.concat)
        self.fit_current = Project(current, width)
        self.fit_previous: nn.Module = nn.Identity()
        if halve_previous and previous is not None:
            self.fit_previous = FactorizedReduction(previous, width)
        elif previous not in {None, width}:
            self.fit_previous = Project(previous or 0, width)
        widths = {"h": width, "p": current if previous is None else width}
        self.left, self.right = nn.ModuleList(), nn.ModuleList()
        for left, left_source, right, right_source in plan.genotype.nodes:
            for side, name, source in (
                (self.left, left, left_source),
                (self.right, right, right_source),
            ):
                # Only h and p are at full resolution, so only they are strided.
                stride = plan.stride if source in widths else 1
                side.append(operation(name, widths.get(source, width), width, stride))

    def forward(self, current: Tensor, previous: Tensor | None) -> Tensor:
        """Concatenation of the genotype's states, ``outputs`` channels."""
        states = {
            "h": self.fit_current(current),
            "p": current if previous is None else self.fit_previous(previous),
        }
        paths = zip(self.genotype.nodes, self.left, self.right, strict=True)
        for number, (node, left, right) in enumerate(paths, start=2):
            first = left(states[node[1]])
            # Two equal poolings of one state give one map: it is computed once.
            repeated = node[:2] == node[2:] and not list(right.parameters())
            second = first if repeated else right(states[node[3]])
            states[f"n{number}"] = first + second
        return torch.cat([states[name] for name in self.genotype.concat], dim=1)


class CellNetwork(nn.Module):
    """Stem convolution (unpadded, 224 → 111), cells, ReLU, global average pool, classifier.

    A cell's second input is always the output two cells back; the first cell has none, and the
    second cell's is the stem.
    """

    def __init__(self, plans: Iterable[CellPlan], classes: int = 1000) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(3, STEM_CHANNELS, 3, stride=2, bias=False)
        self.bn0 = batch_norm(STEM_CHANNELS)
        self.cells = nn.ModuleList()
        previous, current, halve = None, STEM_CHANNELS, False
        for plan in plans:
            cell = Cell(plan, current, previous, halve_previous=halve)
            self.cells.append(cell)
            previous, current, halve = current, cell.outputs, plan.stride > 1
        self.classifier = nn.Linear(current, classes)

    def forward(self, image: Tensor) -> Tensor:
        """[batch, 3, 224, 224] → logits [batch, classes]."""
        previous, current = None, self.bn0(self.conv0(image))
        for cell in self.cells:
            previous, current = current, cell(current, previous)
        features = F.adaptive_avg_pool2d(F.relu(current), 1).flatten(1)
        logits: Tensor = self.classifier(features)
        return logits
