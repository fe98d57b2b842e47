"""A network's numbers in every dialect, each with the formula that it follows from."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from micronet.audit.evidence import Count, Term
from micronet.scoring.acts import LINEAR
from micronet.scoring.bits import FULL
from micronet.scoring.kinds import kind_of
from micronet.scoring.rulebook import rule_book, rule_books
from micronet.scoring.tally import seen_by, tally
from micronet.scoring.work import work

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from micronet.scoring.network import Network
    from micronet.scoring.rulebook import Edges, RuleBook
    from micronet.scoring.tally import Cost, Tally
    from micronet.scoring.work import Work

PAPERS = "macs"
WITH_ZEROS = "macs, zeros included"
TWICE = "2 × macs"
AS_TRAINED = "macs, as trained"
"""All learned numbers that inference uses, also where it stores what follows from them instead."""
ONE = Fraction(1)
_STORED = {"values": "weights", "bias": "biases", "normalisation": "norms"}
_ROLES = {
    "values": "weights",
    "bias": "biases",
    "normalisation": "scales and shifts of norms",
}

_ELEMENTS = {
    "batch_norm": "BatchNorm elements",
    "layer_norm": "LayerNorm elements",
    "group_norm": "GroupNorm elements",
    "instance_norm": "InstanceNorm elements",
    "average_pool": "elements out of average pools",
    "adaptive_average_pool": "elements out of global pools",
    "max_pool": "elements out of max pools",
    "softmax": "softmax elements",
    "activation": "activation elements",
    "elementwise": "elementwise results",
    "upsample_nearest": "upsampled elements",
    "upsample_linear": "interpolated elements",
}


def counts(network: Network, learned: Sequence[tuple[str, int]]) -> Iterator[Count]:
    """Every dialect's numbers that come from the trace; those of DNW's release come separately."""
    known: set[tuple[str, Fraction]] = set()  # editions of one book agree on most numbers
    books = sorted(rule_books().values(), key=lambda book: len(book.name))  # the page's own first
    for book in books:
        if book.counter != "trace":
            continue
        bill = tally(network, book, learned)
        if book.storage == "challenge":
            yield from _new(_challenge(network, book, bill), known)
        elif book.name != PAPERS:
            yield from _popular(network, book, bill)
    yield from _papers(network, learned)


def _new(found: Iterator[Count], known: set[tuple[str, Fraction]]) -> Iterator[Count]:
    """Those of ``found`` that no count before them gave."""
    for count in found:
        if (count.quantity, count.number) not in known:
            known.add((count.quantity, count.number))
            yield count


def _challenge(network: Network, book: RuleBook, bill: Tally) -> Iterator[Count]:
    cost, bits = bill.cost, book.freebie_bits if bill.freebie else FULL
    narrow = _narrow(work(network, book.edges, fold=book.fold_batch_norm), book)
    yield Count(book.name, "operations", cost.total, _weighed(cost, bits, narrow))
    yield Count(book.name, "multiplications", Fraction(cost.multiplications))
    yield Count(book.name, "additions", Fraction(cost.additions))
    yield Count(book.name, "parameters", Fraction(bill.storage_bits, FULL), _stored(bill, FULL))
    yield Count(book.name, "bits", Fraction(bill.storage_bits), _stored(bill, 1))
    if bill.freebie:
        name = f"{book.name} without the {book.freebie_bits}-bit allowance"
        full = tally(network, replace(book, freebie_bits=0))
        yield Count(name, "operations", full.cost.total, _weighed(full.cost, FULL, narrow))
        yield Count(name, "parameters", Fraction(full.storage_bits, FULL), _stored(full, FULL))
        yield Count(name, "bits", Fraction(full.storage_bits), _stored(full, 1))


def _narrow(entries: Sequence[Work], book: RuleBook) -> Mapping[int, int]:
    """Multiplications whose width the book fixes, by that width: products with 0/1 matrices."""
    found: Counter[int] = Counter()
    for entry in entries:
        for act, count in entry.acts.items():
            price = (book.acts or {})[act]
            if price.bits:
                found[price.bits] += price.multiplications * count
    return found


def _weighed(cost: Cost, bits: int, narrow: Mapping[int, int]) -> tuple[Term, ...]:
    """A multiplication of n bits counts n/32, any other operation 1 (Scoring §2)."""
    widths = Counter({bits: cost.multiplications - sum(narrow.values())})
    widths.update(narrow)
    terms = [
        Term(f"multiplications of {width} bit{'s' * (width > 1)}", Fraction(width, FULL), count)
        for width, count in widths.items()
    ]
    terms.append(Term("additions", ONE, cost.additions))
    terms.append(Term("other operations", ONE, cost.other))
    return tuple(term for term in terms if term.count)


def _stored(bill: Tally, unit: int) -> tuple[Term, ...]:
    """The parts of storage in units of so many bits."""
    each = Fraction(1, unit)
    return tuple(
        Term(f"bits of {_STORED.get(role, role)}", each, bits)
        for role, bits in bill.storage_by.items()
    )


def _popular(network: Network, book: RuleBook, bill: Tally) -> Iterator[Count]:
    quantity = "operations" if book.unit == "flops" else "macs"
    formula = formula_of(work(network, book.edges, fold=book.fold_batch_norm), book)
    if sum(term.times * term.count for term in formula) != bill.cost.total:
        raise AssertionError(f"the formula of {book.name} does not give its total")
    yield Count(book.name, quantity, bill.cost.total, formula)


def formula_of(entries: Sequence[Work], book: RuleBook) -> tuple[Term, ...]:
    """The terms of a book that prices kinds of layers: what is counted, and how often each."""
    found: Counter[tuple[str, int]] = Counter()
    for entry in entries:
        op = entry.operation
        kind = kind_of(op)
        if kind is None or entry.folded or not seen_by(book, op):
            continue
        price = (book.kinds or {})[kind]
        if op.name in LINEAR:
            found["multiply-accumulates", price.product] += entry.products
            continue
        results = op.outputs[0].numel
        plain = kind.endswith("_norm") and op.args[1 if "batch" in op.name else 2] is None
        name = _ELEMENTS.get(kind, f"results of {kind} layers")
        found[name, price.plain_result if plain else price.result] += results
        found[name.replace("out of", "into"), price.input] += op.inputs[0].numel
        if price.row:
            found[f"{kind} rows", price.row] += results // op.outputs[0].shape[int(op.args[1])]
    return tuple(
        Term(name, Fraction(times), count) for (name, times), count in found.items() if times
    )


def _papers(network: Network, learned: Sequence[tuple[str, int]]) -> Iterator[Count]:
    """The papers' two numbers, and the same with zeros."""
    book = rule_book(PAPERS)
    known: set[tuple[str, Fraction]] = set()
    cases: tuple[tuple[str, Edges], ...] = ((PAPERS, "live"), (WITH_ZEROS, "stored"))
    for name, edges in cases:
        formula = formula_of(work(network, edges, fold=False), book)
        found = [
            _added("macs", name, formula),
            _added("parameters", name, _learned(network, learned, edges)),
        ]
        yield from _new(iter(found), known)
        if name == PAPERS:
            twice = tuple(replace(term, times=2 * term.times) for term in formula)
            yield _added("operations", TWICE, twice)
    used = {name for root in network.trace.roots.values() for name in root.parameters}
    trained = Term("learned numbers", ONE, sum(n for name, n in learned if name in used))
    yield from _new(iter([_added("parameters", AS_TRAINED, (trained,))]), known)


def _added(quantity: str, dialect: str, formula: tuple[Term, ...]) -> Count:
    total = sum((term.times * term.count for term in formula), Fraction(0))
    return Count(dialect, quantity, total, formula)


def _learned(
    network: Network, learned: Sequence[tuple[str, int]], edges: Edges
) -> tuple[Term, ...]:
    """Learned numbers that inference uses, by their role: the live ones, or zeros and all."""
    names = {name for name, _ in learned}
    found: Counter[str] = Counter()
    for t in network.tensors(fold=False):
        if t.sources & names:
            many = {"live": t.live, "active": max(t.active, t.live), "stored": t.stored}
            found[_ROLES[t.role]] += many[edges]
    return tuple(Term(role, ONE, count) for role, count in found.items() if count)
