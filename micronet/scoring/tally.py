"""The bill: every operation and every stored tensor of a network, priced by one rule book."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from micronet.scoring.acts import LINEAR
from micronet.scoring.bits import FULL
from micronet.scoring.folding import weight_of
from micronet.scoring.kinds import kind_of
from micronet.scoring.storage import Stored, declared, same_roots
from micronet.scoring.work import Work, work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from micronet.scoring.ir import Operation
    from micronet.scoring.network import Network
    from micronet.scoring.rulebook import RuleBook


@dataclass(frozen=True)
class Cost:
    """Raw counts, and ``total`` as the rule book adds them up (bit-weighted for the challenge)."""

    multiplications: int = 0
    additions: int = 0
    other: int = 0
    total: Fraction = Fraction(0)

    def __add__(self, more: Cost) -> Cost:
        return Cost(
            self.multiplications + more.multiplications,
            self.additions + more.additions,
            self.other + more.other,
            self.total + more.total,
        )


@dataclass(frozen=True)
class Layer:
    """One row of the bill: the operations of one kind that one module runs with one weight."""

    name: str
    operator: str
    cost: Cost
    weight: Stored | None = None
    positions: int = 0
    storage_bits: int = 0
    calls: int = 1
    shared: bool = False
    """Another row has already paid for this weight."""


@dataclass(frozen=True)
class Tally:
    """The whole bill of one network under one rule book."""

    layers: tuple[Layer, ...]
    cost: Cost
    storage_bits: int
    storage_by: Mapping[str, int]
    stored: int
    active: int
    live: int
    freebie: bool
    notes: tuple[str, ...] = ()
    tensors: tuple[Stored, ...] = field(default=())


def tally(
    network: Network,
    book: RuleBook,
    learned: Sequence[tuple[str, int]] = (),
    bits: int | None = None,
) -> Tally:
    """Price a network.

    ``bits`` declares a width for all weights; values that need more are an error.

    ``learned`` lists (name, elements) of the model's own parameters, tied ones once; books that count
    "learned numbers" of everything stored need it.
    """
    tensors = network.tensors(fold=book.fold_batch_norm)
    if bits is not None:
        tensors = declared(tensors, bits)
    freebie = book.freebie_bits > 0 and not any(tensor.quantised for tensor in tensors)
    bill = work(network, book.edges, fold=book.fold_batch_norm)
    by_root = {tensor.root: tensor for tensor in tensors if tensor.root}
    notes: list[str] = []
    for other, first in same_roots(network).items():
        if first in by_root:
            by_root[other] = by_root[first]
    rows = _rows(bill, book, by_root, notes, freebie=freebie)
    storage = _storage(tensors, bill, book, learned, freebie=freebie)
    weights = [tensor for tensor in tensors if tensor.edges]
    return Tally(
        layers=tuple(rows),
        cost=sum((row.cost for row in rows), Cost()),
        storage_bits=sum(storage.values()),
        storage_by=storage,
        stored=sum(tensor.stored for tensor in weights),
        active=sum(tensor.active for tensor in weights),
        live=sum(tensor.live for tensor in weights),
        freebie=freebie,
        notes=tuple(notes),
        tensors=tensors,
    )


def _rows(
    bill: Sequence[Work],
    book: RuleBook,
    tensors: Mapping[int, Stored],
    notes: list[str],
    *,
    freebie: bool,
) -> list[Layer]:
    rows: dict[tuple[str, str, int], Layer] = {}
    seen: set[int] = set()
    hidden = 0
    # A product counts at its widest input (Scoring §2), and activations are 32 bits.
    bits = book.freebie_bits if freebie else FULL
    for entry in bill:
        op = entry.operation
        weight = weight_of(op)
        stored = tensors.get(weight.root) if weight is not None else None
        if not seen_by(book, op):
            hidden += entry.products
            continue
        cost = price(entry, book, bits)
        if cost == Cost() and stored is None:
            continue
        key = (op.module, op.name, weight.root if weight is not None else 0)
        before = rows.get(key)
        if before is None:
            shared = stored is not None and stored.root in seen
            size = 0 if stored is None or shared else stored_bits(stored, book, freebie=freebie)
            rows[key] = Layer(
                op.module, op.name, cost, stored, entry.positions, size, shared=shared
            )
            seen |= {stored.root} if stored is not None else set()
        else:
            total = before.cost + cost
            positions = before.positions + entry.positions
            rows[key] = replace(before, cost=total, positions=positions, calls=before.calls + 1)
    if hidden:
        notes.append(f"{book.name} does not see {hidden:,} multiply-accumulates that really run")
    return list(rows.values())


def seen_by(book: RuleBook, op: Operation) -> bool:
    """Whether a book's counter notices an operation at all."""
    if op.composite in book.invisible or op.name in book.unseen_operators:
        return False
    return book.modules is None or op.module_type in book.modules


def price(entry: Work, book: RuleBook, bits: int) -> Cost:
    """What one operation costs where products count at ``bits`` bits."""
    return _price_acts(entry, book, bits) if book.acts is not None else _price_kind(entry, book)


def _price_acts(entry: Work, book: RuleBook, bits: int) -> Cost:
    additions = {"one less": entry.products - entry.dots, "as many": entry.products, "none": 0}
    cost = Cost(
        entry.products,
        additions[book.dot_product_additions] + entry.biases * book.bias_additions,
        0,
        Fraction(entry.products * bits, FULL)
        + additions[book.dot_product_additions]
        + entry.biases * book.bias_additions,
    )
    for act, count in entry.acts.items():
        price = (book.acts or {})[act]
        weight = Fraction(price.bits or bits, FULL)
        cost += Cost(
            price.multiplications * count,
            price.additions * count,
            price.other * count,
            count * (price.multiplications * weight + price.additions + price.other),
        )
    return cost


def _price_kind(entry: Work, book: RuleBook) -> Cost:
    op = entry.operation
    kind = kind_of(op)
    if kind is None or entry.folded:
        return Cost()
    price = (book.kinds or {})[kind]
    results = op.outputs[0].numel
    plain = kind.endswith("_norm") and op.args[1 if "batch" in op.name else 2] is None
    around = results * (price.plain_result if plain else price.result)
    around += op.inputs[0].numel * price.input
    if price.row:
        around += price.row * (results // op.outputs[0].shape[int(op.args[1])])
    products = entry.products if op.name in LINEAR else 0
    counted = products * price.product
    return Cost(
        products * min(price.product, 1),
        max(counted - products, 0),
        around,
        Fraction(counted + around),
    )


def stored_bits(tensor: Stored, book: RuleBook, *, freebie: bool) -> int:
    """Bits of one tensor with its mask and its table."""
    if book.storage != "challenge":
        return FULL * tensor.live
    values = tensor.value_bits(book.freebie_bits if freebie else 0)
    return values + tensor.mask.bits + tensor.width.table_bits * (not freebie)


def _storage(
    tensors: Sequence[Stored],
    bill: Sequence[Work],
    book: RuleBook,
    learned: Sequence[tuple[str, int]],
    *,
    freebie: bool,
) -> dict[str, int]:
    if book.storage != "challenge" and book.edges == "stored":
        return {"values": FULL * sum(count for _, count in learned)}
    found: dict[str, int] = {}
    names = {name for name, _ in learned}

    def add(role: str, bits: int) -> None:
        if bits:
            found[role] = found.get(role, 0) + bits

    for tensor in tensors:
        if book.storage != "challenge":
            if not names & tensor.sources:  # nobody learned it: statistics, masks made by code
                continue
            add(tensor.role, FULL * (tensor.active if book.edges == "active" else tensor.live))
            continue
        add(tensor.role, tensor.value_bits(book.freebie_bits if freebie else 0))
        add("bitmask", tensor.mask.bits)
        if not freebie:
            table = "codebook" if tensor.width.code == "codebook" else "scales"
            add(table, tensor.width.table_bits)
    for entry in bill:
        if (
            entry.shuffled_channels and book.storage == "challenge"
        ):  # 0/1 matrix: mask, 1-bit values
            add("permutation", entry.shuffled_channels**2 + entry.shuffled_channels)
    return found
