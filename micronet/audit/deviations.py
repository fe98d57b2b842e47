"""The known ways to count wrongly, and what each would change in this network's numbers.

Each stands in a list of mistakes that entries to the MicroNet Challenge 2019 made; what it changes
is computed, so that a difference between a claim and the recount can be explained to the last unit.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from micronet.audit.counts import PAPERS
from micronet.audit.evidence import Deviation
from micronet.scoring.api import idle_parameters
from micronet.scoring.bits import FULL
from micronet.scoring.folding import weight_of
from micronet.scoring.kinds import kind_of
from micronet.scoring.rulebook import rule_book
from micronet.scoring.tally import price, stored_bits, tally
from micronet.scoring.work import work

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import nn

    from micronet.scoring.ir import Operation
    from micronet.scoring.network import Network
    from micronet.scoring.rulebook import Edges, RuleBook
    from micronet.scoring.storage import Stored
    from micronet.scoring.tally import Tally
    from micronet.scoring.work import Work

RULES = "micronet2019"
_FREE = {
    "activation": "activations",
    "average_pool": "average pools",
    "adaptive_average_pool": "global pools",
    "max_pool": "comparisons of max pools",
    "elementwise": "elementwise additions and products",
    "reduction": "sums and means",
    "softmax": "softmax functions",
}


def deviations(
    network: Network, model: nn.Module, learned: Sequence[tuple[str, int]]
) -> Iterator[Deviation]:
    """Every deviation that would change one of the network's numbers."""
    book = rule_book(RULES)
    bill = tally(network, book)
    found = [
        *_storage(network, bill, book),
        *_freebie(network, bill, book),
        *_operations(network, bill, book),
        *_dead(network, bill, book),
        *_papers(network, model, learned),
    ]
    for each in found:
        if each.change:
            yield each


def _storage(network: Network, bill: Tally, book: RuleBook) -> Iterator[Deviation]:
    del network, book
    by = bill.storage_by
    masked = [t for t in bill.tensors if t.mask.bits]
    names = tuple(tensor.name for tensor in masked)
    yield _stored("bitmask", -by.get("bitmask", 0), "the bitmask left out", names)
    values = sum(tensor.mask.values for tensor in masked)
    yield _stored(
        "bitmask", values - by.get("bitmask", 0), "a bitmask of the nonzero values only", names
    )
    yield _stored("folded-norms", -by.get("normalisation", 0), "shifts of the batch norms left out")
    yield _stored("folded-norms", -by.get("bias", 0), "biases left out")
    tables = tuple(t.name for t in bill.tensors if t.width.table_bits)
    for role in ("scales", "codebook"):
        yield _stored(
            "scales", -by.get(role, 0), f"{role} of the quantised weights left out", tables
        )


def _stored(id_: str, bits: int, what: str, layers: tuple[str, ...] = ()) -> Deviation:
    return Deviation(id_, RULES, "parameters", Fraction(bits, FULL), what, layers)


def _freebie(network: Network, bill: Tally, book: RuleBook) -> Iterator[Deviation]:
    """The allowance where it is forbidden, or left out where it is allowed."""
    if bill.freebie:
        full = tally(network, replace(book, freebie_bits=0))
        what = f"the {book.freebie_bits}-bit allowance not taken"
        yield _stored("claim-dialect", full.storage_bits - bill.storage_bits, what)
        yield Deviation(
            "claim-dialect", RULES, "operations", full.cost.total - bill.cost.total, what
        )
        return
    narrow = tuple(t.name for t in bill.tensors if t.quantised)
    misused = sum(
        tensor.value_bits(book.freebie_bits) - tensor.value_bits(0) for tensor in bill.tensors
    )
    what = f"the {book.freebie_bits}-bit allowance beside quantised layers"
    yield _stored("freebie", misused, f"{what}: values", narrow)
    entries = work(network, book.edges, fold=book.fold_batch_norm)
    halved = sum((price(entry, book, book.freebie_bits).total for entry in entries), Fraction(0))
    yield Deviation(
        "freebie", RULES, "operations", halved - bill.cost.total, f"{what}: multiplications", narrow
    )


def _operations(network: Network, bill: Tally, book: RuleBook) -> Iterator[Deviation]:
    bits = book.freebie_bits if bill.freebie else FULL
    entries = work(network, book.edges, fold=book.fold_batch_norm)
    products = sum(entry.products for entry in entries)
    dots = sum(entry.dots for entry in entries)
    folded = set(network.folds.values())
    operations = network.trace.operations
    shifted = {id(operations[at]) for at in folded}
    shifts = sum(e.biases for e in entries if id(e.operation) in shifted)
    biases = sum(e.biases for e in entries) - shifts

    def change(id_: str, by: Fraction | int, what: str, layers: tuple[str, ...] = ()) -> Deviation:
        return Deviation(id_, RULES, "operations", Fraction(by), what, layers)

    yield change("additions", dots - products, "additions of the dot products left out")
    yield change("additions", dots, "n products charged n additions, not n − 1")
    yield change("folded-norms", -shifts, "additions of the folded shifts left out")
    yield change("folded-norms", -biases, "additions of the biases left out")
    yield change(
        "addition-bits", Fraction(dots - products, 2), "dot products' additions at 16 bits"
    )
    yield change("addition-bits", Fraction(-bill.cost.additions, 2), "all additions at 16 bits")
    for kind, name in _FREE.items():
        same = [entry for entry in entries if kind_of(entry.operation) == kind]
        total = sum((price(entry, book, bits).total for entry in same), Fraction(0))
        where = tuple(dict.fromkeys(e.operation.module or "(model)" for e in same))
        yield change("free-operations", -total, f"{name} counted as free", where)


def _dead(network: Network, bill: Tally, book: RuleBook) -> Iterator[Deviation]:
    """Edges that are stored but dead, or zero, paid for."""
    dying = [t for t in bill.tensors if t.edges and t.active > t.live]
    values = sum((t.active - t.live) * _width(t, bill, book) for t in dying)
    names = tuple(tensor.name for tensor in dying)
    yield _stored("dead-edges", values, "values of dead edges stored", names)
    dense = [t for t in bill.tensors if t.edges and t.stored > t.live]
    zeros = sum(
        t.stored * _width(t, bill, book) - stored_bits(t, book, freebie=bill.freebie) for t in dense
    )
    yield _stored("dead-edges", zeros, "zeros stored as values", tuple(t.name for t in dense))
    cases: tuple[tuple[Edges, str, tuple[str, ...]], ...] = (
        ("active", "operations of dead edges", names),
        ("stored", "operations of zero weights", tuple(t.name for t in dense)),
    )
    for edges, what, layers in cases:
        other = tally(network, replace(book, edges=edges))
        yield Deviation(
            "dead-edges", RULES, "operations", other.cost.total - bill.cost.total, what, layers
        )


def _width(tensor: Stored, bill: Tally, book: RuleBook) -> int:
    return min(tensor.width.bits, book.freebie_bits) if bill.freebie else tensor.width.bits


def _papers(
    network: Network, model: nn.Module, learned: Sequence[tuple[str, int]]
) -> Iterator[Deviation]:
    """What papers leave out or put in: norms, biases, running statistics, single layers."""
    tensors = network.tensors(fold=False)
    names = dict(learned)

    def change(
        id_: str, quantity: str, by: int, what: str, layers: tuple[str, ...] = ()
    ) -> Deviation:
        return Deviation(id_, PAPERS, quantity, Fraction(by), what, layers)

    norms = sum(t.live for t in tensors if t.role == "normalisation" and t.sources & set(names))
    biases = sum(t.live for t in tensors if t.role == "bias" and t.sources & set(names))
    yield change("folded-norms", "parameters", -norms, "scales and shifts of norms left out")
    yield change("folded-norms", "parameters", -biases, "biases left out")
    yield change("folded-norms", "parameters", norms, "running statistics counted too")
    dying = [t for t in tensors if t.edges and t.active > t.live and t.sources & set(names)]
    dead = tuple(t.name for t in dying)
    yield change(
        "dead-edges", "parameters", sum(t.active - t.live for t in dying), "dead edges", dead
    )
    active = tally(network, replace(rule_book(PAPERS), edges="active")).cost.total
    paid = int(active - tally(network, rule_book(PAPERS)).cost.total)
    yield change("dead-edges", "macs", paid, "multiply-accumulates of dead edges", dead)
    idle = idle_parameters(model, network)
    yield change(
        "unused-modules",
        "parameters",
        sum(idle.values()),
        "parameters of modules that never run",
        tuple(idle),
    )
    for quantity, name in (("macs", "multiply-accumulates"), ("parameters", "weights")):
        for what, count, layers in _parts(network, quantity):
            yield change("claim-dialect", quantity, -count, f"{name} of {what} left out", layers)


def _parts(network: Network, quantity: str) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Groups of layers that people forget: (what, how many, which)."""
    live = {tensor.root: tensor.live for tensor in network.tensors(fold=False)}
    linear = [e for e in work(network, rule_book(PAPERS).edges, fold=False) if e.products]
    groups: dict[str, list[Work]] = {}
    for entry in linear:
        for group in _groups(entry.operation, first=entry is linear[0], last=entry is linear[-1]):
            groups.setdefault(group, []).append(entry)
    for what, members in groups.items():
        weights = {w.root for e in members if (w := weight_of(e.operation)) is not None}
        stored = sum(live.get(root, 0) for root in weights)
        count = sum(e.products for e in members) if quantity == "macs" else stored
        yield what, count, tuple(dict.fromkeys(e.operation.module or "(model)" for e in members))


def _groups(op: Operation, *, first: bool, last: bool) -> Iterator[str]:
    if first:
        yield "the first layer"
    if last:
        yield "the last layer"
    if op.name == "convolution":
        groups = int(op.args[8])
        if groups > 1:
            yield "grouped and depthwise convolutions"
        elif op.inputs[1].numel == op.inputs[1].shape[0] * op.inputs[1].shape[1]:
            yield "1×1 convolutions"
    elif weight_of(op) is None:
        yield "products of two activations"
