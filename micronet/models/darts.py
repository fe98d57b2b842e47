"""DARTS, the ImageNet network of 14 cells.

Liu, Simonyan, Yang, "DARTS: Differentiable Architecture Search", ICLR 2019: 4.7M parameters,
73.3 % top-1 with the genotype "iclr" and C = 48 (github.com/quark0/darts, its second version). The
first release of that code had the genotype "first-release" and C = 50: 4.9M parameters, 73.1 %.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from micronet.models.nasnet_cells import CellPlan, Genotype

LAYERS = 14
CONCAT = ("n2", "n3", "n4", "n5")

# Sources: a = the cell before the previous one, b = the previous cell.
GENOTYPES: dict[str, tuple[Genotype, Genotype]] = {
    "iclr": (
        Genotype(
            (
                ("sep3", "a", "sep3", "b"),
                ("sep3", "a", "sep3", "b"),
                ("sep3", "b", "skip", "a"),
                ("skip", "a", "dil3", "n2"),
            ),
            CONCAT,
        ),
        Genotype(
            (
                ("max3", "a", "max3", "b"),
                ("skip", "n2", "max3", "b"),
                ("max3", "a", "skip", "n2"),
                ("skip", "n2", "max3", "b"),
            ),
            CONCAT,
        ),
    ),
    "first-release": (
        Genotype(
            (
                ("sep3", "b", "sep3", "a"),
                ("skip", "a", "sep3", "b"),
                ("skip", "a", "sep3", "b"),
                ("sep3", "a", "skip", "n2"),
            ),
            CONCAT,
        ),
        Genotype(
            (
                ("max3", "a", "max3", "b"),
                ("skip", "n2", "max3", "a"),
                ("max3", "a", "skip", "n2"),
                ("skip", "n2", "avg3", "a"),
            ),
            CONCAT,
        ),
    ),
}


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias and with symmetric padding."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


def relu_depthwise_pointwise(width: int, stride: int, dilation: int = 1) -> nn.Sequential:
    """ReLU, depthwise 3×3, pointwise, batch norm."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(width, width, 3, stride, dilation, dilation, groups=width, bias=False),
        conv(width, width, 1),
        nn.BatchNorm2d(width),
    )


def relu_conv_norm(inputs: int, width: int) -> nn.Sequential:
    """ReLU, 1×1 convolution, batch norm."""
    return nn.Sequential(nn.ReLU(), conv(inputs, width, 1), nn.BatchNorm2d(width))


class FactorizedReduction(nn.Module):
    """Halves an even map: ReLU, two 1×1 convolutions on even and odd pixels, batch norm."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.even = conv(inputs, width // 2, 1, stride=2)
        self.odd = conv(inputs, width - width // 2, 1, stride=2)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, inputs, h, w] → [batch, width, h / 2, w / 2]."""
        x = F.relu(x)
        y: Tensor = self.bn(torch.cat((self.even(x), self.odd(x[:, :, 1:, 1:])), dim=1))
        return y


def operation(name: str, width: int, stride: int) -> nn.Module:
    """The operation of this ``name``: sep3, dil3, max3, avg3 or skip."""
    if name == "sep3":
        return nn.Sequential(
            relu_depthwise_pointwise(width, stride), relu_depthwise_pointwise(width, 1)
        )
    if name == "dil3":
        return relu_depthwise_pointwise(width, stride, dilation=2)
    if name == "max3":
        return nn.MaxPool2d(3, stride, padding=1)
    if name == "avg3":
        return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
    return nn.Identity() if stride == 1 else FactorizedReduction(width, width)


class Cell(nn.Module):
    """Four nodes, each the sum of two operations; the output is their concatenation.

    ``halve_before`` says that the map of the cell before the previous one is twice as large.
    """

    def __init__(self, plan: CellPlan, before: int, previous: int, *, halve_before: bool) -> None:
        super().__init__()
        genotype, width, stride = plan.genotype, plan.width, plan.stride
        self.genotype = genotype
        self.outputs = width * len(genotype.concat)
        fit_before = FactorizedReduction if halve_before else relu_conv_norm
        self.fit_before = fit_before(before, width)
        self.fit_previous = relu_conv_norm(previous, width)
        self.operations = nn.ModuleList(
            operation(name, width, stride if source in {"a", "b"} else 1)
            for node in genotype.nodes
            for name, source in (node[:2], node[2:])
        )

    def forward(self, before: Tensor, previous: Tensor) -> Tensor:
        """[batch, before, …], [batch, previous, h, w] → [batch, outputs, h / stride, …]."""
        states = {"a": self.fit_before(before), "b": self.fit_previous(previous)}
        for index, (_, left, _, right) in enumerate(self.genotype.nodes):
            first = self.operations[2 * index](states[left])
            states[f"n{index + 2}"] = first + self.operations[2 * index + 1](states[right])
        return torch.cat([states[name] for name in self.genotype.concat], dim=1)


class Darts(nn.Module):
    """[batch, 3, 224, 224] → logits; ``channels`` is C, the width of the first cells."""

    def __init__(self, genotype: str = "iclr", channels: int = 48, classes: int = 1000) -> None:
        super().__init__()
        normal, reduction = GENOTYPES[genotype]
        self.stem0 = nn.Sequential(
            conv(3, channels // 2, 3, stride=2),
            nn.BatchNorm2d(channels // 2),
            nn.ReLU(),
            conv(channels // 2, channels, 3, stride=2),
            nn.BatchNorm2d(channels),
        )
        self.stem1 = nn.Sequential(
            nn.ReLU(), conv(channels, channels, 3, stride=2), nn.BatchNorm2d(channels)
        )
        self.cells = nn.ModuleList()
        before, previous, width, halve = channels, channels, channels, True
        for index in range(LAYERS):
            reduces = index in {LAYERS // 3, 2 * LAYERS // 3}
            width *= 2 if reduces else 1
            plan = CellPlan(reduction, width, 2) if reduces else CellPlan(normal, width)
            cell = Cell(plan, before, previous, halve_before=halve)
            self.cells.append(cell)
            before, previous, halve = previous, cell.outputs, reduces
        self.classifier = nn.Linear(previous, classes)

    def forward(self, image: Tensor) -> Tensor:
        """Logits; the pool follows the last cell directly, without ReLU."""
        before = self.stem0(image)
        previous = self.stem1(before)
        for cell in self.cells:
            before, previous = previous, cell(before, previous)
        logits: Tensor = self.classifier(F.adaptive_avg_pool2d(previous, 1).flatten(1))
        return logits
