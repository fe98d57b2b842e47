"""Deviations that need the entry's own words or its layers: one sparsity for all, missing factors.

Computed from the evidence's rows of layers, so no torch is needed.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from micronet.audit.declared_widths import AS_MEASURED, Said, declared_widths
from micronet.audit.evidence import Deviation, Evidence
from micronet.scoring.rules_arithmetic import FREEBIE_BITS as FREEBIE
from micronet.scoring.rules_arithmetic import FULL_BITS as FULL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from micronet.audit.entry import Declared, LayerRow

    Row = Mapping[str, Any]

RULES: Final = "micronet2019"
_BESIDE_PRODUCTS: Final = ("additions", "addition-bits", "folded-norms", "free-operations")
"""Deviations that are the same however wide the products are."""


def suspected(
    evidence: Evidence, declared: Declared, layers: Sequence[LayerRow] = ()
) -> tuple[Deviation, ...]:
    """Every such deviation that would change a number of this network.

    ``layers``: the entry's own table, for the widths that it declares.
    """
    found = [
        *_one_sparsity(evidence, declared),
        *_missing_factors(evidence),
        *_called_otherwise(evidence),
        *_narrow_additions(evidence, declared),
        *declared_widths(evidence, Said(declared, layers)),
        *_taken_over(evidence),
    ]
    return tuple(each for each in found if each.change)


def _one_sparsity(evidence: Evidence, declared: Declared) -> Iterator[Deviation]:
    """Every layer at one sparsity, although each has its own."""
    stored = sum(row["stored"] for row in evidence.layers if not row["shared"])
    live = sum(row["live"] for row in evidence.layers if not row["shared"])
    if not stored:
        return
    kept = Fraction(live, stored)
    shares: dict[str, tuple[Fraction, tuple[str, ...]]] = {}
    if live < stored:
        shares["the sparsity of all layers together"] = (kept, ())
    if declared.sparsity is not None:
        shares["the declared sparsity"] = (1 - declared.sparsity, declared.dense)
    for words, (share, dense) in shares.items():
        each = {
            row["name"]: Fraction(1) if row["name"] in dense else share for row in evidence.layers
        }
        names = tuple(
            row["name"]
            for row in evidence.layers
            if row["stored"] and Fraction(row["live"], row["stored"]) != each[row["name"]]
        )
        for all_of, live_of in (("stored", "live"), ("macs_stored", "macs")):
            quantities = _storage_of_a_value if live_of == "live" else _operations_of_a_product
            for how, change in _shared_out(evidence, all_of, live_of, each):
                what = f"every layer at {words}, {float(1 - share):.4g}{how}"
                for dialect, quantity, times in quantities(evidence):
                    yield Deviation(
                        "global-sparsity", dialect, quantity, change * times, what, names
                    )


def _shared_out(
    evidence: Evidence, all_of: str, live_of: str, shares: Mapping[str, Fraction]
) -> Iterator[tuple[str, Fraction]]:
    """The change if each row kept its share: exactly, and cut off to whole numbers row by row."""
    rows = [row for row in evidence.layers if live_of != "live" or not row["shared"]]
    true = sum(row[live_of] for row in rows)
    kept = [row[all_of] * shares[row["name"]] for row in rows]
    yield "", sum(kept, Fraction(0)) - true
    yield ", each layer's number cut off", Fraction(sum(map(int, kept)) - true)


def _missing_factors(evidence: Evidence) -> Iterator[Deviation]:
    """A layer's channels left out: hooks that read another dimension, or forget groups."""
    deep = [(row, row["groups"]) for row in evidence.layers if row["groups"] > 1]
    plain = [row for row in evidence.layers if row["groups"] == 1 and len(row["weight_shape"]) > 1]
    yield from _divided(evidence, "depthwise", "depthwise layers without their channels", deep)
    convolutions = [row for row in plain if row["operator"] == "convolution"]
    for axis, channels in ((0, "output"), (1, "input")):
        what = f"the batch size where the number of {channels} channels belongs"
        cases = {"": plain, ", in convolutions": convolutions}
        for where, rows in cases.items() if len(convolutions) < len(plain) else [("", plain)]:
            found = [*deep, *((row, row["weight_shape"][axis]) for row in rows)]
            yield from _divided(evidence, "batch-size", f"{what}{where}", found)


def _divided(
    evidence: Evidence, id_: str, what: str, rows: list[tuple[Row, int]]
) -> Iterator[Deviation]:
    """Every number of operations, each row's divided by its factor."""
    change = sum(
        (Fraction(row["batch"] * row["macs"], factor) - row["macs"] for row, factor in rows),
        Fraction(0),
    )
    names = tuple(row["name"] for row, factor in rows if factor > 1)
    for dialect, quantity, times in _operations_of_a_product(evidence):
        yield Deviation(id_, dialect, quantity, change * times, what, names)


def _called_otherwise(evidence: Evidence) -> Iterator[Deviation]:
    """Multiply-accumulates called operations, and operations called multiply-accumulates."""
    macs = evidence.count("macs", "macs") or Fraction(0)
    names = tuple(row["name"] for row in evidence.layers)
    what = "multiply-accumulates called operations: no additions"
    for dialect in ("2 × macs", *_editions(evidence), AS_MEASURED):
        operations = evidence.count(dialect, "operations") or macs
        yield Deviation("additions", dialect, "operations", macs - operations, what, names)
    what = "multiplications and additions counted one by one"
    yield Deviation("claim-dialect", "macs", "macs", macs, what)


def _narrow_additions(evidence: Evidence, declared: Declared) -> Iterator[Deviation]:
    """Additions at the width that the entry declares."""
    bits = declared.addition_bits
    if bits is None or bits in (FREEBIE, FULL):  # 16 bits are tried in any case
        return
    dots = sum(row["additions"] - row["biases"] for row in evidence.layers)
    for dialect in _editions(evidence):
        everything = evidence.count(dialect, "additions") or evidence.count(RULES, "additions") or 0
        for count, which in ((dots, "dot products' additions"), (everything, "all additions")):
            change = -Fraction(count) * (FULL - bits) / FULL
            what = f"{which} at {bits} bits"
            yield Deviation("addition-bits", dialect, "operations", change, what)


def _taken_over(evidence: Evidence) -> Iterator[Deviation]:
    """What every edition of the challenge's book has in common with the first."""
    first = [d for d in evidence.deviations if d.dialect == RULES and d.id != "claim-dialect"]
    own = {(each.dialect, each.quantity, each.what) for each in evidence.deviations}
    for dialect in _editions(evidence)[1:]:
        for each in first:
            if (dialect, each.quantity, each.what) not in own:
                yield replace(each, dialect=dialect)
    for each in first:
        if each.id in _BESIDE_PRODUCTS and each.quantity == "operations":
            yield replace(each, dialect=AS_MEASURED)


def _editions(evidence: Evidence) -> list[str]:
    """The challenge's book, that of its counter, and both without the allowance of 16 bits."""
    dialects = dict.fromkeys(count.dialect for count in evidence.counts)
    others = [name for name in dialects if name.startswith(f"{RULES}-") or " without the " in name]
    return [RULES, *(name for name in others if name.startswith(RULES) and "," not in name)]


def _operations_of_a_product(evidence: Evidence) -> Iterator[tuple[str, str, Fraction]]:
    """What one product counts in each dialect, with the addition beside it."""
    yield "macs", "macs", Fraction(1)
    yield "2 × macs", "operations", Fraction(2)
    for dialect in _editions(evidence):
        yield dialect, "operations", 1 + Fraction(_allowed(evidence, dialect), FULL)
        yield dialect, "multiplications", Fraction(1)
        yield dialect, "additions", Fraction(1)


def _storage_of_a_value(evidence: Evidence) -> Iterator[tuple[str, str, Fraction]]:
    """What one weight counts in each dialect, where all have one width; its bit in the mask stays."""
    yield "macs", "parameters", Fraction(1)
    widths = {row["weight_bits"] for row in evidence.layers if row["live"]}
    for dialect in _editions(evidence) if len(widths) == 1 else ():
        bits = min(*widths, _allowed(evidence, dialect))
        yield dialect, "parameters", Fraction(bits, FULL)


def _allowed(evidence: Evidence, dialect: str) -> int:
    """The bits at which values count that nobody quantised."""
    quantised = any(0 < row["weight_bits"] < FREEBIE for row in evidence.layers)
    return FULL if quantised or " without the " in dialect else FREEBIE
