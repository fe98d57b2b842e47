"""From a score as it was claimed to the score by the rules: every difference by name, to the unit."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from micronet.scoring.kinds import kind_of
from micronet.scoring.tally import price

if TYPE_CHECKING:
    from collections.abc import Sequence

    from micronet.scoring.dnw_formulas import ReleaseCount
    from micronet.scoring.rulebook import RuleBook
    from micronet.scoring.tally import Tally
    from micronet.scoring.work import Work

_NAMES = {
    "activation": "ReLU is an operation",
    "max_pool": "comparisons of the max pool",
    "elementwise": "additions of the residual connections",
}
_STORED = {
    "bitmask": "bitmask: one bit an element of every sparse tensor",
    "normalisation": "shifts of the folded batch norms",
    "bias": "biases",
}


@dataclass(frozen=True)
class Step:
    """One difference: 32-bit parameters and weighted operations that it adds (or takes away)."""

    name: str
    parameters: Fraction = Fraction(0)
    operations: Fraction = Fraction(0)


def entry_steps(
    count: ReleaseCount, bill: Tally, entries: Sequence[Work], book: RuleBook
) -> tuple[Step, ...]:
    """From the challenge entry's own count (first step) to ``bill``; the steps add up to it exactly.

    The entry halves its parameters and prices a multiply-accumulate at 0.5 + 1 operations.
    """
    bits = book.freebie_bits if bill.freebie else 32
    claimed = Step(
        "as claimed: the rate's parameters at 16 bits, 0.5 + 1 operations a multiply-accumulate",
        Fraction(count.parameters, 2),
        Fraction(3 * count.macs, 2),
    )
    pool = sum(layer.macs for layer in count.layers if layer.name == "avgpool")
    products = sum(entry.products for entry in entries)
    steps = [
        claimed,
        Step(
            "edges counted in the tensors, not from the rate",
            Fraction(bill.storage_by["values"], 32) - claimed.parameters,
            Fraction(products * bits, 32) + products - Fraction(3, 2) * (count.macs - pool),
        ),
        *(
            Step(_STORED[role], Fraction(b, 32))
            for role, b in bill.storage_by.items()
            if role in _STORED
        ),
        Step(
            "n products need n − 1 additions",
            operations=Fraction(-sum(entry.dots for entry in entries)),
        ),
        Step("the shifts are added", operations=Fraction(sum(entry.biases for entry in entries))),
        Step(
            "global average pool: 48 additions and 1 multiplication a channel, not 49 of both",
            operations=_kind(entries, book, bits, "adaptive_average_pool") - Fraction(3 * pool, 2),
        ),
        *(Step(name, operations=_kind(entries, book, bits, kind)) for kind, name in _NAMES.items()),
    ]
    rest = Step(
        "other",
        Fraction(bill.storage_bits, 32) - sum(step.parameters for step in steps),
        bill.cost.total - sum(step.operations for step in steps),
    )
    if rest.parameters or rest.operations:
        steps.append(rest)
    return tuple(steps)


def _kind(entries: Sequence[Work], book: RuleBook, bits: int, kind: str) -> Fraction:
    costs = (price(entry, book, bits) for entry in entries if kind_of(entry.operation) == kind)
    return sum((cost.total for cost in costs), Fraction(0))
