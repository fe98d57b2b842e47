"""Which operations a counter that hooks modules can see: those that a module of PyTorch's own runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from micronet.scoring.acts import LINEAR

if TYPE_CHECKING:
    from micronet.scoring.ir import Operation

_WITH_WEIGHTS = (
    nn.modules.conv._ConvNd,  # noqa: SLF001  # the one base of all convolutions
    nn.Linear,
    nn.Bilinear,
    nn.RNNBase,
    nn.MultiheadAttention,
)


def unseen(op: Operation, model: nn.Module) -> bool:
    """Whether no such module runs the operation: ``x * w``, ``torch.mean``, ``F.conv2d``.

    A subclass with a forward of its own is seen as the layer that it is.
    """
    module = model.get_submodule(op.module) if op.module else model
    if op.name in LINEAR:
        return not isinstance(module, _WITH_WEIGHTS)
    return not type(module).__module__.startswith("torch.nn.")
