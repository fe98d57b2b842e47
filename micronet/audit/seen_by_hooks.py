"""Which operations a counter that hooks modules can see: those that a module of PyTorch's own runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn.modules.conv import _ConvNd

from micronet.scoring.acts import LINEAR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from micronet.scoring.ir import Operation

_WITH_WEIGHTS = (_ConvNd, nn.Linear, nn.Bilinear, nn.RNNBase, nn.MultiheadAttention)


def unseen(op: Operation, modules: Mapping[str, nn.Module]) -> bool:
    """Whether no such module runs the operation: ``x * w``, ``torch.mean``, ``F.conv2d``.

    A subclass with a forward of its own is seen as the layer that it is.
    """
    module = modules.get(op.module)
    if op.name in LINEAR:
        return not isinstance(module, _WITH_WEIGHTS)
    return not type(module).__module__.startswith("torch.nn.")
