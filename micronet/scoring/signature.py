"""What an operator's schema says of a call: its name, and the arguments that it overwrites."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from micronet.errors import MicronetError

if TYPE_CHECKING:
    import torch

# Operators that read the shape of their tensor and not its content.
_SHAPE_READERS = frozenset(
    "zeros_like ones_like full_like empty_like rand_like randn_like new_zeros new_ones new_full "
    "new_empty new_empty_strided".split()
)


class Signature(NamedTuple):
    """An operator without overload; ``mutated`` are the places of arguments that it overwrites."""

    name: str
    mutated: tuple[int, ...]
    mutated_names: tuple[str, ...]
    reads_shape_only: bool


@cache
def signature_of(function: torch._ops.OpOverload) -> Signature:
    """The signature; MicronetError for operators that overwrite beside what they return."""
    mutated, names = [], []
    for position, argument in enumerate(function._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            (names.append(argument.name) if argument.kwarg_only else mutated.append(position))
    namespace, _, name = function._schema.name.partition("::")
    if namespace != "aten":  # somebody's own operator never passes for one of PyTorch's
        name = f"{namespace}::{name}"
    elif mutated and name.endswith("_") and not name.endswith("__"):
        name = name[:-1]
    if (mutated or names) and any(each.alias_info is None for each in function._schema.returns):
        raise MicronetError(  # what it returns is not what it overwrites
            f"{function} cannot be followed: it computes one thing and overwrites another.",
            "Observers of ranges are for training: convert them to plain fake quantisation.",
        )
    if name == "as_strided" and mutated:  # restrides its tensor, changes no element
        name, mutated = "alias", []
    return Signature(name, tuple(mutated), tuple(names), name in _SHAPE_READERS)
