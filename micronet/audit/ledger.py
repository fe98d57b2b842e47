"""One network's bill by one rule book of the challenge, and what a deviation from it changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from micronet.audit.evidence import Deviation
from micronet.scoring.bits import FULL
from micronet.scoring.folding import bias_of, weight_of
from micronet.scoring.rulebook import rule_book
from micronet.scoring.storage import same_roots
from micronet.scoring.tally import Cost, Tally, price, tally
from micronet.scoring.work import Work, work

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from micronet.scoring.ir import Operation
    from micronet.scoring.network import Network
    from micronet.scoring.rulebook import RuleBook
    from micronet.scoring.storage import Stored

BOOKS = ("micronet2019", "micronet2019-counter")


@dataclass(frozen=True)
class Ledger:
    """The bill, under the name by which its numbers are counted."""

    dialect: str
    network: Network
    book: RuleBook
    bill: Tally

    @property
    def bits(self) -> int:
        """The width at which multiplications count."""
        return self.book.freebie_bits if self.bill.freebie else FULL

    @cached_property
    def entries(self) -> list[Work]:
        """The work of every operation."""
        return work(self.network, self.book.edges, fold=self.book.fold_batch_norm)

    def cost(self, entry: Work) -> Cost:
        """What one operation costs in this bill."""
        return price(entry, self.book, self.bits)

    def stored(
        self, id_: str, bits: int, what: str, layers: Iterable[str] = ()
    ) -> Iterator[Deviation]:
        """A change of so many stored ``bits``."""
        names = tuple(dict.fromkeys(layers))
        yield Deviation(id_, self.dialect, "parameters", Fraction(bits, FULL), what, names)

    def computed(
        self, id_: str, by: Cost, what: str, layers: Iterable[str] = ()
    ) -> Iterator[Deviation]:
        """A change of the operations, and of the plain numbers of multiplications and additions."""
        names = tuple(dict.fromkeys(layers))
        changes = {
            "operations": by.total,
            "multiplications": Fraction(by.multiplications),
            "additions": Fraction(by.additions),
        }
        for quantity, change in changes.items():
            yield Deviation(id_, self.dialect, quantity, change, what, names)

    def names(self, tensors: Iterable[Stored]) -> list[str]:
        """The layers that these tensors belong to."""
        return [self._owners.get(tensor.root, tensor.name) for tensor in tensors]

    @cached_property
    def _owners(self) -> dict[int, str]:
        found: dict[int, str] = {}
        for entry in self.entries:
            for value in (weight_of(entry.operation), bias_of(entry.operation)):
                if value is not None:
                    found.setdefault(value.root, self.name(entry.operation))
        for other, first in same_roots(self.network).items():
            if other in found:
                found.setdefault(first, found[other])
        return found

    def name(self, op: Operation) -> str:
        """A layer by its module; where the network itself computes, by the weight."""
        return layer_name(self.network, op)


def layer_name(network: Network, op: Operation) -> str:
    """A layer by its module; where the network itself computes, by the weight."""
    weight = weight_of(op)
    if op.module or weight is None:
        return op.module or "(model)"
    return network.trace.roots[weight.root].name


def ledgers(network: Network) -> Iterator[Ledger]:
    """The bills that entries to the challenge are held against: both price lists, at both widths."""
    for name in BOOKS:
        book = rule_book(name)
        bill = tally(network, book)
        yield Ledger(name, network, book, bill)
        if bill.freebie:
            plain = replace(book, freebie_bits=0)
            dialect = f"{name} without the {book.freebie_bits}-bit allowance"
            yield Ledger(dialect, network, plain, tally(network, plain))
