"""What a network costs under the challenge's rule book, in a form that two networks share.

A folded norm is a shift before slimming and a bias after it, so those two roles are one here, and
so are a matrix product (mm) and one that adds a bias (addmm).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from micronet.scoring.api import learned_numbers
from micronet.scoring.rulebook import rule_book
from micronet.scoring.tally import tally

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from micronet.scoring.network import Network

RULES: Final = "micronet2019"
SHIFTS: Final = "biases and shifts"
_ROLES: Final = {"bias": SHIFTS, "normalisation": SHIFTS}
_OPERATORS: Final = {"addmm": "mm"}


@dataclass(frozen=True)
class Bill:
    """``operations``: (module, operator, "multiplications" | "additions" | "other") → raw count.

    ``storage_bits`` by role; ``stored``, ``active`` and ``live`` count edges.
    """

    operations: Mapping[tuple[str, str, str], int]
    storage_bits: Mapping[str, int]
    stored: int
    active: int
    live: int

    def total(self, kind: str) -> int:
        """The count of one kind of operation over the whole network."""
        return sum(count for key, count in self.operations.items() if key[2] == kind)

    def dearer_than(self, other: Bill) -> list[str]:
        """Where this bill is higher, in words; empty if nowhere."""
        found = [
            f"{kind} of {module or 'the model itself'} ({operator}): "
            f"{count}, expected {other.operations.get((module, operator, kind), 0)}"
            for (module, operator, kind), count in self.operations.items()
            if count > other.operations.get((module, operator, kind), 0)
        ]
        found += [
            f"bits of {role}: {bits}, expected {other.storage_bits.get(role, 0)}"
            for role, bits in self.storage_bits.items()
            if bits > other.storage_bits.get(role, 0)
        ]
        return found


def bill_of(network: Network, model: nn.Module) -> Bill:
    """The live tally of ``network``, the trace of ``model``."""
    found = tally(network, rule_book(RULES), learned_numbers(model))
    operations: Counter[tuple[str, str, str]] = Counter()
    for row in found.layers:
        for kind in ("multiplications", "additions", "other"):
            count = getattr(row.cost, kind)
            if count:
                operations[row.name, _OPERATORS.get(row.operator, row.operator), kind] += count
    storage: Counter[str] = Counter()
    for role, bits in found.storage_by.items():
        storage[_ROLES.get(role, role)] += bits
    return Bill(dict(operations), dict(storage), found.stored, found.active, found.live)
