"""The function of nodes: normalise, ReLU, 3×3 convolution of each node alone; and its gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from micronet.training.nodes import node_kernels as kernels
from micronet.training.nodes.jit import run
from micronet.training.nodes.layout import array
from micronet.training.nodes.statistics_kernels import BATCH, IMAGE, NONE
from micronet.training.nodes.vectors import LANES

if TYPE_CHECKING:
    from torch import Tensor

    from micronet.training.nodes.layout import Maps

__all__ = ["BATCH", "IMAGE", "NONE", "Norm", "Parameters", "Statistics", "backward", "forward"]


@dataclass(frozen=True)
class Norm:
    """What nodes are normalised by: statistics of each image, of the batch, or not at all."""

    kind: int
    eps: float

    @property
    def arguments(self) -> tuple[int, np.float32]:
        """For a kernel; without a norm, 1 / √(1 + 0)."""
        return self.kind, np.float32(0 if self.kind == NONE else self.eps)


@dataclass(frozen=True)
class Parameters:
    """Of some nodes: scale and shift of the norm [nodes], and the taps [nodes, 9]."""

    weight: Tensor
    bias: Tensor
    taps: Tensor

    @property
    def arrays(self) -> tuple[Any, ...]:
        """For a kernel."""
        return tuple(array(each.contiguous()) for each in (self.weight, self.bias, self.taps))


@dataclass(frozen=True)
class Statistics:
    """Mean and (biased) variance, [nodes, 8 · blocks] for each image or 8 times the same."""

    mean: Tensor
    variance: Tensor

    @property
    def arrays(self) -> tuple[Any, Any]:
        """For a kernel."""
        return array(self.mean), array(self.variance)


def forward(x: Tensor, maps: Maps, norm: Norm, parameters: Parameters, z: Tensor) -> Statistics:
    """``z`` (node-major, of the maps ``maps.sent``) = what the nodes send; what ``x`` measures."""
    groups = maps.blocks if norm.kind == IMAGE else 1
    found = Statistics(*(torch.empty(len(x), groups * LANES) for _ in range(2)))
    run(
        kernels.forward,
        array(x),
        maps,
        maps.blocks,
        *norm.arguments,
        parameters.arrays,
        found.arrays,
        array(z),
    )
    return found


def backward(  # noqa: PLR0917 - as the kernel takes them
    dz: Tensor,
    x: Tensor,
    maps: Maps,
    norm: Norm,
    parameters: Parameters,
    measured: Statistics,
    dx: Tensor,
) -> Parameters:
    """``dx`` and the parameters' gradients of a loss whose gradient by `forward`'s z is ``dz``."""
    found = Parameters(
        *(torch.empty(each.shape) for each in (parameters.weight, parameters.bias, parameters.taps))
    )
    run(
        kernels.backward,
        *(array(dz), array(x), maps, maps.blocks, *norm.arguments, parameters.arrays),
        *(measured.arrays, array(dx), found.arrays),
    )
    return found
