"""Known ways to count storage wrongly (Scoring §1), and what each changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micronet.scoring.tally import stored_bits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from micronet.audit.evidence import Deviation
    from micronet.audit.ledger import Ledger
    from micronet.scoring.storage import Stored


def storage_deviations(ledger: Ledger, idle: Mapping[str, int]) -> Iterator[Deviation]:
    """``idle``: the elements of the modules that never run."""
    yield from _masks(ledger)
    yield from _beside_the_weights(ledger)
    yield from _allowance(ledger)
    yield from _dead(ledger)
    words = "parameters of modules that never run"
    yield from ledger.stored("unused-modules", sum(idle.values()) * ledger.bits, words, idle)


def _masks(ledger: Ledger) -> Iterator[Deviation]:
    masked = [tensor for tensor in ledger.bill.tensors if tensor.mask.bits]
    names = ledger.names(masked)
    bits = ledger.bill.storage_by.get("bitmask", 0)
    yield from ledger.stored("bitmask", -bits, "the bitmask left out", names)
    values = sum(tensor.mask.values for tensor in masked)
    what = "a bitmask of the nonzero values only"
    yield from ledger.stored("bitmask", values - bits, what, names)


def _beside_the_weights(ledger: Ledger) -> Iterator[Deviation]:
    """Shifts, scales, biases and tables that stand beside the weights."""
    norms = [tensor for tensor in ledger.bill.tensors if tensor.role == "normalisation"]
    folded = [tensor for tensor in norms if tensor.stored == tensor.shape[0]]
    alone = [tensor for tensor in norms if tensor.stored > tensor.shape[0]]
    biases = [tensor for tensor in ledger.bill.tensors if tensor.role == "bias"]
    cases = (
        (folded, 1, "shifts of the folded batch norms left out"),
        (alone, 2, "scales of norms that cannot be folded left out"),
        (alone, 1, "scales and shifts of norms that cannot be folded left out"),
        (biases, 1, "biases left out"),
    )
    for tensors, part, what in cases:
        bits = sum(_values(tensor, ledger) for tensor in tensors)
        yield from ledger.stored("folded-norms", -(bits // part), what, ledger.names(tensors))
    if ledger.bill.freebie:
        return
    for codes, role in ((("codebook",), "codebooks"), (("grid", "grid per channel"), "scales")):
        coded = [t for t in ledger.bill.tensors if t.width.table_bits and t.width.code in codes]
        bits = sum(tensor.width.table_bits for tensor in coded)
        what = f"{role} of the quantised weights left out"
        yield from ledger.stored("scales", -bits, what, ledger.names(coded))


def _values(tensor: Stored, ledger: Ledger) -> int:
    return tensor.value_bits(ledger.book.freebie_bits if ledger.bill.freebie else 0)


def _allowance(ledger: Ledger) -> Iterator[Deviation]:
    """The 16 bits where they are forbidden, or not taken where they are allowed."""
    bits, tensors = ledger.book.freebie_bits, ledger.bill.tensors
    narrower = sum(tensor.value_bits(bits) - tensor.value_bits(0) for tensor in tensors)
    if ledger.bill.freebie:
        what = f"the {bits}-bit allowance not taken"
        yield from ledger.stored("claim-dialect", -narrower, what)
    elif bits:
        what = f"the {bits}-bit allowance beside quantised layers"
        quantised = [tensor for tensor in tensors if tensor.quantised]
        yield from ledger.stored("freebie", narrower, what, ledger.names(quantised))


def _dead(ledger: Ledger) -> Iterator[Deviation]:
    """Edges that are stored but dead, or zero, paid for."""
    weights = [tensor for tensor in ledger.bill.tensors if tensor.edges]
    dying = [tensor for tensor in weights if tensor.active > tensor.live]
    values = sum((t.active - t.live) * _capped(t.width.bits, ledger) for t in dying)
    what = "values of dead edges stored"
    yield from ledger.stored("dead-edges", values, what, ledger.names(dying))
    dense = [tensor for tensor in weights if tensor.stored > tensor.live]
    zeros = sum(
        t.stored * _capped(t.width.bits_with_zero, ledger)
        + t.width.table_bits * (not ledger.bill.freebie)
        - stored_bits(t, ledger.book, freebie=ledger.bill.freebie)
        for t in dense
    )
    yield from ledger.stored("dead-edges", zeros, "zeros stored as values", ledger.names(dense))


def _capped(bits: int, ledger: Ledger) -> int:
    return min(bits, ledger.book.freebie_bits) if ledger.bill.freebie else bits
