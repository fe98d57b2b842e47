"""The tiny CIFAR-10 classifiers of DNW: 800 nodes and 32,000 edges in three notions of time.

Wortsman, Farhadi, Rastegari, "Discovering Neural Wirings", NeurIPS 2019, section 4.1 and Table 1;
parameter names and shapes follow the released code (allenai/dnw, models/graphs/neuralgraph.py).
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from micronet.errors import MicronetError
from micronet.models.edges import Edges
from micronet.models.mobilenetv1_dnw import depthwise
from micronet.wiring import (
    TINY_INPUT_NODES,
    TINY_OUTPUT_NODES,
    legal_tiny_edges,
    tiny_level_offsets,
)

MAP_SIZE = 8
TOLERANCE = 1e-3


def downsample() -> nn.Sequential:
    """Image [batch, 3, 32, 32] → the 32 input nodes [batch, 32, 8, 8]."""
    half = TINY_INPUT_NODES // 2
    return nn.Sequential(
        nn.Conv2d(3, half, 3, stride=2, padding=1),
        nn.BatchNorm2d(half),
        nn.ReLU(),
        nn.Conv2d(half, half, 3, stride=2, padding=1, groups=half),
        nn.Conv2d(half, TINY_INPUT_NODES, 1),
        nn.BatchNorm2d(TINY_INPUT_NODES),
    )


class TinyClassifier(nn.Module):
    """What the three share: the inputs, the silent other nodes (``zeros``), and the classifier."""

    zeros: Tensor

    def __init__(self, dim: int, classes: int) -> None:
        super().__init__()
        self.downsample = downsample()
        self.register_buffer("zeros", torch.zeros(1, dim - TINY_INPUT_NODES, MAP_SIZE, MAP_SIZE))
        self.fc = nn.Linear(TINY_OUTPUT_NODES, classes)

    def initial_nodes(self, image: Tensor) -> Tensor:
        """Every node's value before the first step, [batch, dim, 8, 8]."""
        inputs = self.downsample(image)
        return torch.cat((inputs, self.zeros.expand(len(inputs), -1, -1, -1)), dim=1)

    def classify(self, nodes: Tensor) -> Tensor:
        """Logits from the last 100 nodes, averaged over the pixels at rows and columns 2 and 3."""
        pooled = F.avg_pool2d(nodes[:, -TINY_OUTPUT_NODES:, 2:4, 2:4], 2)
        logits: Tensor = self.fc(pooled.flatten(1))
        return logits


class TinyStatic(TinyClassifier):
    """Nodes in levels (32, then four of 192): an edge leads to a later level only."""

    def __init__(
        self,
        dim: int = 800,
        edges: int = 32_000,
        steps: int = 5,
        classes: int = 10,
        wiring: str = "dnw",
    ) -> None:
        super().__init__(dim, classes)
        self.offsets = tiny_level_offsets(dim, steps)
        self.conv = depthwise(dim, 1)
        self.graph = Edges(dim, dim, edges, legal_tiny_edges(dim, steps), wiring)
        self.norm = nn.ModuleList(
            nn.InstanceNorm2d(stop - start, affine=True) for start, stop in pairwise(self.offsets)
        )

    def forward(self, image: Tensor) -> Tensor:
        """[batch, 3, 32, 32] → [batch, classes]."""
        sums = self.initial_nodes(image)
        edges = self.graph.edge_weights()
        dim = len(edges)
        for level, norm in enumerate(self.norm):
            start, stop = self.offsets[level : level + 2]
            nodes = F.relu(norm(sums[:, : stop - start]))
            nodes = F.conv2d(nodes, self.conv.weight[start:stop], padding=1, groups=stop - start)
            first_target = min(stop, dim - TINY_OUTPUT_NODES)
            received = F.conv2d(nodes, edges[first_target:, start:stop])
            # The last level adds to 100 of its own nodes: these are the outputs.
            sums = sums[:, sums.shape[1] - received.shape[1] :] + received
        return self.classify(sums)


class TinyDiscrete(TinyClassifier):
    """Every node at every step: ReLU, 3×3, edges (cycles allowed), instance norm."""

    def __init__(
        self,
        dim: int = 800,
        edges: int = 32_000,
        steps: int = 5,
        classes: int = 10,
        wiring: str = "dnw",
    ) -> None:
        super().__init__(dim, classes)
        self.steps = steps
        self.conv = depthwise(dim, 1)
        self.graph = Edges(dim, dim, edges, wiring=wiring)
        self.norm = nn.InstanceNorm2d(dim, affine=True)

    def forward(self, image: Tensor) -> Tensor:
        """[batch, 3, 32, 32] → [batch, classes]."""
        nodes = self.initial_nodes(image)
        for _ in range(self.steps):
            nodes = self.norm(self.graph(self.conv(F.relu(nodes))))
        return self.classify(nodes)


class NodeVelocity(nn.Module):
    """dZ/dt of all nodes: the step of `TinyDiscrete`, read as a derivative."""

    def __init__(self, dim: int, edges: int, wiring: str) -> None:
        super().__init__()
        self.conv = depthwise(dim, 1)
        self.graph = Edges(dim, dim, edges, wiring=wiring)
        self.norm = nn.InstanceNorm2d(dim, affine=True)

    def forward(self, time: Tensor, nodes: Tensor) -> Tensor:  # noqa: ARG002 (odeint passes it)
        """[batch, dim, 8, 8] → the same shape; the velocity does not depend on ``time``."""
        velocity: Tensor = self.norm(self.graph(self.conv(F.relu(nodes))))
        return velocity


class SolveOverUnitTime(nn.Module):
    """Follows the velocity from t = 0 to 1 with dopri5, rtol = atol = 1e-3."""

    def __init__(self, odefunc: nn.Module) -> None:
        super().__init__()
        self.odefunc = odefunc

    def forward(self, nodes: Tensor) -> Tensor:
        """The nodes at t = 1; needs the library torchdiffeq."""
        try:
            from torchdiffeq import odeint
        except ImportError:
            raise MicronetError(
                "tiny_continuous needs the library torchdiffeq, which is not installed.",
                "pip install micronet-wirings[torchdiffeq]",
            ) from None
        times = torch.tensor([0.0, 1.0], dtype=nodes.dtype, device=nodes.device)
        path: Tensor = odeint(
            self.odefunc, nodes, times, rtol=TOLERANCE, atol=TOLERANCE, method="dopri5"
        )
        return path[-1]


class TinyContinuous(TinyClassifier):
    """The nodes follow an ordinary differential equation.

    ``steps`` is there so that all three take the same settings; the solver chooses its own steps.
    """

    def __init__(
        self,
        dim: int = 800,
        edges: int = 32_000,
        steps: int = 5,  # noqa: ARG002
        classes: int = 10,
        wiring: str = "dnw",
    ) -> None:
        super().__init__(dim, classes)
        self.odesolve = SolveOverUnitTime(NodeVelocity(dim, edges, wiring))

    def forward(self, image: Tensor) -> Tensor:
        """[batch, 3, 32, 32] → [batch, classes]."""
        return self.classify(self.odesolve(self.initial_nodes(image)))
