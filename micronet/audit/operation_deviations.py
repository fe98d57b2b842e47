"""Known ways to count operations wrongly (Scoring §2), and what each changes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from micronet.audit.seen_by_hooks import unseen
from micronet.scoring.acts import LINEAR
from micronet.scoring.bits import FULL
from micronet.scoring.kinds import kind_of
from micronet.scoring.tally import Cost, price, tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torch import nn

    from micronet.audit.evidence import Deviation
    from micronet.audit.ledger import Ledger
    from micronet.scoring.ir import Operation
    from micronet.scoring.rulebook import Edges
    from micronet.scoring.work import Work

_FREE = {
    "activation": "activations",
    "average_pool": "average pools",
    "adaptive_average_pool": "global pools",
    "max_pool": "comparisons of max pools",
    "elementwise additions": "residual and other elementwise additions",
    "elementwise": "elementwise products",
    "reduction": "sums and means",
    "softmax": "softmax functions",
}


def operation_deviations(ledger: Ledger, modules: Mapping[str, nn.Module]) -> Iterator[Deviation]:
    """Every such deviation, those of 0 among them."""
    yield from _dot_products(ledger)
    yield from _norms_and_biases(ledger)
    yield from _elementwise(ledger)
    yield from _functional(ledger, modules)
    yield from _layers_only(ledger)
    yield from _allowance(ledger)
    yield from _dead(ledger)


def _dot_products(ledger: Ledger) -> Iterator[Deviation]:
    """Their additions left out, overcounted, or narrowed."""
    linear = [entry for entry in ledger.entries if entry.products]
    names = [ledger.name(entry.operation) for entry in linear]
    products = sum(entry.products for entry in linear)
    dots = sum(entry.dots for entry in linear)
    summed, total = products - dots, ledger.bill.cost
    what = "additions of the dot products left out"
    yield from ledger.computed("additions", _additions(-summed), what, names)
    what = "n products charged n additions, not n − 1"
    yield from ledger.computed("additions", _additions(dots), what, names)
    yield from ledger.computed("additions", _additions(-total.additions), "all additions left out")
    narrow = Cost(total=Fraction(-summed, 2))
    yield from ledger.computed("addition-bits", narrow, "dot products' additions at 16 bits", names)
    narrow = Cost(total=Fraction(-total.additions, 2))
    yield from ledger.computed("addition-bits", narrow, "all additions at 16 bits")


def _layers_only(ledger: Ledger) -> Iterator[Deviation]:
    """Nothing counted but convolutions and matrix products."""
    linear = [entry for entry in ledger.entries if entry.products]
    products = sum(entry.products for entry in linear)
    weighed, total = Fraction(products * ledger.bits, FULL), ledger.bill.cost
    names = [ledger.name(entry.operation) for entry in linear]
    what = "only the multiplications of the layers counted"
    yield from ledger.computed("additions", Cost(total=weighed - total.total), what, names)
    both = Cost(products, products, 0, weighed + products)
    rest = [ledger.name(e.operation) for e in ledger.entries if not e.products and not e.folded]
    what = "only the multiply-accumulates of the layers counted"
    yield from ledger.computed("free-operations", _less(both, total), what, rest)


def _norms_and_biases(ledger: Ledger) -> Iterator[Deviation]:
    operations = ledger.network.trace.operations
    norm_of = {id(operations[at]): operations[norm] for norm, at in ledger.network.folds.items()}
    shifted = [entry for entry in ledger.entries if id(entry.operation) in norm_of]
    plain = [e for e in ledger.entries if e.biases and id(e.operation) not in norm_of]
    folded = [norm_of[id(entry.operation)].module for entry in shifted]
    shifts = _additions(-sum(entry.biases for entry in shifted))
    what = "additions of the folded shifts left out"
    yield from ledger.computed("folded-norms", shifts, what, folded)
    biases = _additions(-sum(entry.biases for entry in plain))
    names = [ledger.name(entry.operation) for entry in plain]
    yield from ledger.computed("folded-norms", biases, "additions of the biases left out", names)
    norms = [e for e in ledger.entries if not e.folded and _kind(e).endswith("_norm")]
    all_of = _sum(ledger, norms)
    scales = Cost(all_of.multiplications, total=all_of.total - all_of.additions - all_of.other)
    names = [entry.operation.module for entry in norms]
    what = "scales of norms that cannot be folded counted as free"
    yield from ledger.computed("folded-norms", _less(Cost(), scales), what, names)
    what = "norms that cannot be folded counted as free"
    yield from ledger.computed("folded-norms", _less(Cost(), all_of), what, names)


def _elementwise(ledger: Ledger) -> Iterator[Deviation]:
    for kind, name in _FREE.items():
        same = [entry for entry in ledger.entries if _kind(entry) == kind]
        where = [entry.operation.module or "(model)" for entry in same]
        change = _less(Cost(), _sum(ledger, same))
        yield from ledger.computed("free-operations", change, f"{name} counted as free", where)


def _functional(ledger: Ledger, modules: Mapping[str, nn.Module]) -> Iterator[Deviation]:
    """What hooks on modules do not see."""
    hidden = [entry for entry in ledger.entries if unseen(entry.operation, modules)]
    linear = [entry for entry in hidden if entry.operation.name in LINEAR]
    for entries, what in (
        (linear, "convolutions and products without a module left out"),
        (hidden, "everything without a module left out"),
    ):
        names = [ledger.name(entry.operation) for entry in entries]
        change = _less(Cost(), _sum(ledger, entries))
        yield from ledger.computed("functional-calls", change, what, names)


def _allowance(ledger: Ledger) -> Iterator[Deviation]:
    """The 16 bits where they are forbidden, or not taken where they are allowed."""
    bits, total = ledger.book.freebie_bits, ledger.bill.cost.total
    if ledger.bill.freebie:
        full = sum(price(entry, ledger.book, FULL).total for entry in ledger.entries)
        what = f"the {bits}-bit allowance not taken"
        yield from ledger.computed("claim-dialect", Cost(total=full - total), what)
    elif bits:
        narrow = [tensor for tensor in ledger.bill.tensors if tensor.quantised]
        halved = sum(price(entry, ledger.book, bits).total for entry in ledger.entries)
        what = f"the {bits}-bit allowance beside quantised layers"
        yield from ledger.computed(
            "freebie", Cost(total=halved - total), what, ledger.names(narrow)
        )


def _dead(ledger: Ledger) -> Iterator[Deviation]:
    weights = [tensor for tensor in ledger.bill.tensors if tensor.edges]
    dying = [tensor for tensor in weights if tensor.active > tensor.live]
    dense = [tensor for tensor in weights if tensor.stored > tensor.live]
    cases: tuple[tuple[Edges, str, list[str]], ...] = (
        ("active", "operations of dead edges", ledger.names(dying)),
        ("stored", "operations of zero weights", ledger.names(dense)),
    )
    for edges, what, names in cases:
        other = tally(ledger.network, replace(ledger.book, edges=edges))
        change = _less(other.cost, ledger.bill.cost)
        yield from ledger.computed("dead-edges", change, what, names)


def _kind(entry: Work) -> str:
    op: Operation = entry.operation
    kind = kind_of(op) or ""
    adds = kind == "elementwise" and op.name in ("add", "sub", "rsub")
    return "elementwise additions" if adds else kind


def _sum(ledger: Ledger, entries: Iterable[Work]) -> Cost:
    return sum((ledger.cost(entry) for entry in entries), Cost())


def _additions(count: int) -> Cost:
    return Cost(additions=count, total=Fraction(count))


def _less(one: Cost, other: Cost) -> Cost:
    return Cost(
        one.multiplications - other.multiplications,
        one.additions - other.additions,
        one.other - other.other,
        one.total - other.total,
    )
