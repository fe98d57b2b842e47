"""Networks of nodes computed node-major: the same outputs and gradients as their own forward.

The weights stay those of the network; only the order of the arithmetic is another one, so results
differ by rounding. Used where the CPU computes in float32.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import torch

from micronet.models.mobilenetv1_dnw import MobileNetV1DNW
from micronet.models.tiny_dnw import TinyContinuous, TinyDiscrete, TinyStatic
from micronet.training.nodes.mobilenetv1 import mobilenetv1
from micronet.training.nodes.tiny import tiny_continuous, tiny_discrete, tiny_static

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

_FAST: Final[Mapping[type, Callable[..., Tensor]]] = {
    TinyStatic: tiny_static,
    TinyDiscrete: tiny_discrete,
    TinyContinuous: tiny_continuous,
    MobileNetV1DNW: mobilenetv1,
}


def node_major(model: nn.Module) -> Callable[[Tensor], Tensor] | None:
    """The fast forward of ``model`` on this machine's CPU; None if there is none for it."""
    fast = _FAST.get(type(model))
    here = all(p.device.type == "cpu" and p.dtype == torch.float32 for p in model.parameters())
    return partial(fast, model) if fast is not None and here else None
