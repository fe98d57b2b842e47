"""Which numbers an operator multiplies: the operands of its products, and what they are to it.

Only multiplications whose operands come from outside are here. A norm, a mean, a softmax or an
activation function multiplies what it has computed inside itself; nobody else sees these numbers, and
the counter prices them at full width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch

from micronet.scoring.acts import LINEAR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from micronet.audit.watched import Role

_PRODUCTS: Final = {"mul": (0, 1), "div": (0, 1), "addcmul": (1, 2), "addcdiv": (1, 2)}


class Operand(NamedTuple):
    """A tensor that depends on the input and is multiplied; ``axis`` numbers its channels."""

    name: str
    tensor: Tensor
    axis: int
    role: Role
    other: Tensor | None
    """The constant that it is multiplied by; None where that depends on the input too."""


def operands(name: str, args: Sequence[Any], depends: Callable[[Tensor], bool]) -> list[Operand]:
    """The operands of one call of the operator ``name`` that depend on the input."""
    found: list[Operand] = []
    if name in LINEAR:
        found = _of_linear(name, args, depends)
    elif name == "square" or (name == "pow" and _is_product(args[1])):
        found = [Operand("input", args[0], _axis(args[0]), "product", None)]
    elif name in _PRODUCTS:
        found = _of_product(name, [args[position] for position in _PRODUCTS[name]], depends)
    return [operand for operand in found if depends(operand.tensor)]


def _is_product(exponent: object) -> bool:
    return isinstance(exponent, int | float) and exponent in (2, 3, 4)


def _of_linear(name: str, args: Sequence[Any], depends: Callable[[Tensor], bool]) -> list[Operand]:
    if name == "convolution":
        left, right, axes = args[0], args[1], (1, 1)
    else:
        tensors = [argument for argument in args if isinstance(argument, torch.Tensor)]
        left, right = tensors[-2:]
        axes = (left.ndim - 1, max(right.ndim - 2, 0))
    return _sides(left, right, axes, "layer", depends)


def _of_product(
    name: str, factors: Sequence[Any], depends: Callable[[Tensor], bool]
) -> list[Operand]:
    left, right = factors
    several = all(
        isinstance(factor, torch.Tensor) and depends(factor) and factor.numel() > 1
        for factor in factors
    )
    role: Role = "product" if several and not name.endswith("div") else "rescaling"
    if not isinstance(left, torch.Tensor):
        left, right = right, left
    return _sides(left, right, (_axis(left), _axis(right)), role, depends)


def _sides(
    left: Tensor,
    right: Any,
    axes: tuple[int, int],
    role: Role,
    depends: Callable[[Tensor], bool],
) -> list[Operand]:
    both = (
        isinstance(right, torch.Tensor) and depends(left) and depends(right) and left is not right
    )
    if both:
        names = (("left", left, axes[0]), ("right", right, axes[1]))
        return [Operand(side, tensor, axis, role, None) for side, tensor, axis in names]
    if isinstance(right, torch.Tensor) and depends(right):
        left, right, axes = right, left, (axes[1], axes[0])
    other = right if isinstance(right, torch.Tensor) and right is not left else None
    return [Operand("input", left, axes[0], role, other)]


def _axis(tensor: Any) -> int:
    """Where an elementwise operator's channels lie: behind the batch, as in images."""
    return 1 if isinstance(tensor, torch.Tensor) and tensor.ndim > 1 else 0
