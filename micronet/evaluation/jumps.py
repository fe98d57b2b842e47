"""Whether a network can jump: an output that changes by much where rounding changes a value by little.

Networks that round their activations do (fake quantisation), and those that choose a path by a
value. How far rounding moves their outputs cannot be told from a few images: it may move nothing on
a thousand of them, and a whole step on the next.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from torch import nn

# Operators of aten that make steps of a value. The last one is `float(x)`, `if x` and the like.
_STEPS: Final = frozenset(
    "round floor ceil trunc frac sign sgn signbit heaviside floor_divide remainder fmod eq ne lt le "
    "gt ge argmax argmin topk sort argsort kthvalue mode bucketize searchsorted nonzero "
    "_local_scalar_dense".split()
)
_CONVERSION: Final = "_to_copy"
_FRESH: Final = re.compile(r"aten::(new_\w+|\w+_like)")  # these take no more than its type and size


class _Watch(TorchDispatchMode):
    """Follows what is computed from ``image``, and remembers whether a step was made of it."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.made = {id(image): image}  # kept alive, so that their ids stay theirs
        self.stepped = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operator, and follow its outputs if it reads what was made of the image."""
        del types
        result = func(*args, **(kwargs or {}))
        read = any(id(leaf) in self.made for leaf in tree_leaves((args, kwargs)))
        if read and not _FRESH.fullmatch(func._schema.name):
            outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
            self.made.update({id(leaf): leaf for leaf in outputs})
            self.stepped |= _steps(func, outputs)
        return result


def can_jump(model: nn.Module, image: Tensor) -> bool:
    """Whether ``model``, in eval mode, makes steps of values that it computes from ``image``."""
    watch = _Watch(image)
    with torch.no_grad(), watch:
        model(image)
    return watch.stepped


def _steps(func: Any, outputs: list[Tensor]) -> bool:
    whole: str = func._schema.name
    namespace, _, name = whole.partition("::")
    if namespace.startswith("quantized") or "quantize_" in name:
        return True
    if name == _CONVERSION:
        return not all(each.is_floating_point() for each in outputs)
    return name.removesuffix("_") in _STEPS
