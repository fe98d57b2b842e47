"""What entered the multiplications of a network on real images, as plain data; and what it contradicts.

Nothing here needs torch: the rows lie in an evidence document, and are judged from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MODEL: Final = "(model)"
"""The name of a layer that is no module: operators that the network itself calls."""
MOST_DISTINCT: Final = 2**16

Code = Literal[
    "constant",
    "codebook",
    "grid",
    "grid per channel",
    "grid per image",
    "float16",
    "bfloat16",
    "float",
]
Role = Literal["layer", "product", "rescaling"]


@dataclass(frozen=True)
class Grid:
    """Values ``offset`` + ``scale`` · k for integers k; ``offset`` is 0 where k = 0 stands for 0."""

    scale: float
    offset: float


@dataclass(frozen=True)
class Watched:
    """The values that entered one multiplication as one of its operands, over all examples.

    ``layer`` is the module as in a score's rows, ``weight`` the parameter that is multiplied by, where
    one is, and ``call`` numbers the calls that these would not tell apart. ``role`` is "layer" for
    convolutions and matrix products, "product" for two activations multiplied element by element, and
    "rescaling" for products with constants or with a single number, and divisions.
    ``bits`` is the width of the narrowest ``code`` that holds all values; 0 for a single value.
    """

    layer: str
    operator: str
    operand: str
    weight: str | None
    call: int
    role: Role
    examples: int
    elements: int
    distinct: int | None
    """Different values, exactly; None: more than 65,536."""
    codes: int
    """Different values, those that only rounding keeps apart taken for one; at least as many as this."""
    lowest: float
    highest: float
    code: Code
    bits: int
    grid: Grid | None

    @property
    def least_bits(self) -> int:
        """What any code needs for so many different values; rounding explains none that are on no grid."""
        many = self.distinct is None and self.code == "float"
        return (max(self.codes, MOST_DISTINCT + 1 if many else 1) - 1).bit_length()


@dataclass(frozen=True)
class Contradiction:
    """Values that no code of the declared width can hold."""

    layer: str
    operand: str
    declared_bits: int
    needed_bits: int
    distinct: int | None
    elements: int
    sentence: str


def contradictions(
    watched: Iterable[Watched], declared: Mapping[str, int] | int
) -> tuple[Contradiction, ...]:
    """Operands that took more different values than their declared width has codes for.

    ``declared`` is the width of what enters every layer, or that of each layer by name; layers that it
    does not name are not judged. Fewer values than codes prove nothing, more prove that the width is
    not true, whatever the code; so every contradiction is certain, and none is no certificate.
    Values may have a scale of their own for each channel or each image. Rescaling is not judged: what
    a quantiser divides by its scale is not quantised yet, and what is multiplied by one no longer is.
    """
    found = []
    for each in watched:
        bits = declared.get(each.layer) if isinstance(declared, Mapping) else declared
        if bits is None or each.role == "rescaling" or each.least_bits <= bits or each.bits <= bits:
            continue
        found.append(
            Contradiction(
                each.layer,
                each.operand,
                bits,
                each.bits,
                each.distinct,
                each.elements,
                _sentence(each, bits),
            )
        )
    return tuple(found)


def _sentence(each: Watched, declared: int) -> str:
    many = f"more than {MOST_DISTINCT:,}" if each.distinct is None else f"{each.distinct:,}"
    own = each.weight is None or each.weight.startswith(f"{each.layer}.")
    place = each.layer if own else f"{each.layer} ({each.weight})"
    code = {"float": "floats on no grid", "codebook": "on no grid"}.get(each.code, each.code)
    return (
        f"{place}: {many} different values among the {each.elements:,} that enter its "
        f"{each.operator} as {each.operand}, where {declared} bits hold {2**declared:,}; "
        f"it takes {each.bits} bits ({code})"
    )


def as_rows(watched: Iterable[Watched]) -> list[dict[str, Any]]:
    """JSON rows, one an operand, in the order given."""
    return [asdict(each) for each in watched]


def of_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[Watched, ...]:
    """What ``as_rows`` wrote."""
    return tuple(
        Watched(**{**row, "grid": None if row["grid"] is None else Grid(**row["grid"])})
        for row in rows
    )
