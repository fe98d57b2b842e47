"""Carry a plan out on a copy of the network.

Shapes stay: a dead edge becomes a zero, not a smaller tensor, so that the architecture is built
and the file loaded as before. The packed file leaves the zeros out, and the counter prices neither
them nor rows and columns that have become empty.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import nn

from micronet.checkpoints.slimmed import fold_structure
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from micronet.slimming.folds import Fold

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def copied(model: nn.Module) -> nn.Module:
    """A copy that shares nothing; MicronetError if the model cannot be copied."""
    try:
        return copy.deepcopy(model)
    except (RuntimeError, TypeError) as error:
        raise MicronetError(f"{type(model).__name__} cannot be copied: {error}") from error


@torch.no_grad()
def without_edges(model: nn.Module, dead: Mapping[str, Tensor]) -> nn.Module:
    """A copy of ``model`` whose ``dead`` numbers are zero."""
    slim = copied(model)
    for name, where in dead.items():
        slim.get_parameter(name).masked_fill_(where, 0)
    return slim


@torch.no_grad()
def folded(model: nn.Module, folds: Sequence[Fold]) -> nn.Module:
    """A copy of ``model`` with each norm in the layer before it.

    Computed in float64 and rounded once, to the type that the layer has.
    """
    slim = copied(model)
    for fold in folds:
        layer = slim.get_submodule(fold.layer)
        weight: Tensor = layer.get_parameter("weight")
        bias = getattr(layer, "bias", None)
        shift = fold.shift if bias is None else fold.shift + bias.double() * fold.scale
        scaled = weight.double() * _along_outputs(layer, weight, fold.scale)
        fold_structure(slim, {fold.layer: fold.norm})
        weight.copy_(scaled)
        layer.get_parameter("bias").copy_(shift)
    return slim.eval()


def _along_outputs(layer: nn.Module, weight: Tensor, scale: Tensor) -> Tensor:
    """One scale an output channel, in a shape that multiplies the weight."""
    ones = (1,) * (weight.ndim - 2)
    if not isinstance(layer, _TRANSPOSED):
        return scale.reshape(-1, 1, *ones)
    inputs, outputs = weight.shape[:2]  # of one group: [groups · inputs, outputs, …]
    each = scale.reshape(layer.groups, 1, outputs).expand(-1, inputs // layer.groups, -1)
    return each.reshape(inputs, outputs, *ones)
