"""What one forward pass really ran: operations over values, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor


class Geometry(NamedTuple):
    """How a tensor lies in its storage, in elements."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    storage_elements: int


@dataclass(frozen=True, eq=False, slots=True)
class Value:
    """One tensor of the trace, at one moment of its life.

    ``dynamic`` values depend on the network's input and have a shape only.
    The others are constants: ``tensor`` holds what they really contain, or is None where the network
    was built without memory (meta device), so that only the shape is known.
    """

    shape: tuple[int, ...]
    dtype: Any
    dynamic: bool
    tensor: Tensor | None = None
    root: int = 0
    """Key of the storage that a constant is a view of (see ``Trace.roots``); 0 for dynamic values."""
    where: Geometry | None = None
    """Which elements of that storage a constant is; None for dynamic values."""
    storage_bytes: int = 0
    alias_of: int = 0
    """Key of the memory that a dynamic value lives in: views of one buffer share it."""

    @property
    def numel(self) -> int:
        """Number of elements."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count


@dataclass(frozen=True, slots=True)
class Root:
    """A storage that constants are read from: a parameter, a buffer, or something computed from them."""

    name: str
    tensor: Tensor | None
    shape: tuple[int, ...]
    dtype: Any
    parameters: frozenset[str]
    """Names of the parameters and buffers that its content comes from."""
    derived: bool
    elements: int
    moved_from: frozenset[int] = frozenset()
    """Roots whose elements this one only repeats in another order (a look-up by a constant index)."""
    looked_up: bool = False
    """Whether that index is itself a parameter or a buffer, so that it would have to be stored too."""


@dataclass(frozen=True, eq=False, slots=True)
class Operation:
    """One ATen operator whose result depends on the input.

    ``args`` and ``kwargs`` are those of the call with every tensor replaced by its Value.
    ``name`` is the operator without overload and without the underscore of in-place variants.
    ``composite`` is the Python-level function that this operator is a part of, where that matters
    ("scaled_dot_product_attention", "lstm", …).
    """

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    module: str
    module_type: str
    composite: str = ""
    inplace: bool = False

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """The argument at ``position``, or by its schema ``name``, or ``default``."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)


@dataclass(frozen=True)
class Trace:
    """All operations of one forward pass, in the order they ran."""

    operations: tuple[Operation, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    roots: Mapping[int, Root]
    notes: tuple[str, ...] = ()
    shape_only: bool = field(default=True)

    def constants(self) -> Iterator[Value]:
        """Every constant that an operation reads, once per Value."""
        seen: set[int] = set()
        for operation in self.operations:
            for value in operation.inputs:
                if not value.dynamic and id(value) not in seen:
                    seen.add(id(value))
                    yield value
