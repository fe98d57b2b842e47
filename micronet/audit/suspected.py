"""Deviations that need the entry's own words or its layers: one sparsity for all, missing factors.

Computed from the evidence's rows of layers, so no torch is needed.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from micronet.audit.evidence import Count, Deviation, Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from micronet.audit.entry import Declared

    Row = Mapping[str, Any]

RULES: Final = "micronet2019"
AS_MEASURED: Final = "micronet2019, inputs as wide as measured"
AS_DECLARED: Final = "micronet2019, inputs as wide as declared"
FULL: Final = 32


def suspected(evidence: Evidence, declared: Declared) -> tuple[Deviation, ...]:
    """Every such deviation that would change a number of this network."""
    found = [
        *_one_sparsity(evidence, declared),
        *_missing_factors(evidence),
        *_called_otherwise(evidence),
    ]
    return tuple(each for each in found if each.change)


def by_width(evidence: Evidence, declared: Declared) -> Iterator[Count]:
    """The challenge's operations with each product at its widest input, where inputs are narrow."""
    total = evidence.count(RULES, "operations")
    narrow = [row for row in evidence.layers if 0 < row["weight_bits"] < FULL // 2]
    if total is None or not narrow:
        return  # nothing is quantised: the 16-bit allowance stands in the plain count
    measured = input_bits(evidence)
    if measured:
        saved = _saved(evidence.layers, lambda row: measured.get(row["name"], FULL))
        yield Count(AS_MEASURED, "operations", total - saved)
    if declared.activation_bits is not None:
        width = declared.activation_bits
        saved = _saved(evidence.layers, lambda _: width)
        yield Count(AS_DECLARED, "operations", total - saved)


def _saved(rows: tuple[Row, ...], width: Callable[[Row], int]) -> Fraction:
    """What narrow products cost less than at 32 bits (Scoring §2: n/32, the widest input decides)."""
    return sum(
        (
            row["multiplications"] * (1 - Fraction(max(width(row), row["weight_bits"]), FULL))
            for row in rows
            if max(width(row), row["weight_bits"]) < FULL
        ),
        Fraction(0),
    )


def input_bits(evidence: Evidence) -> dict[str, int]:
    """The measured width of what enters each layer; empty where nothing was measured."""
    found: dict[str, int] = {}
    for row in evidence.activations or ():
        if row["role"] == "layer":
            found[row["layer"]] = max(found.get(row["layer"], 0), row["bits"])
    return found


def _one_sparsity(evidence: Evidence, declared: Declared) -> Iterator[Deviation]:
    """Every layer at one sparsity, although each has its own."""
    stored = sum(row["stored"] for row in evidence.layers if not row["shared"])
    live = sum(row["live"] for row in evidence.layers if not row["shared"])
    if not stored:
        return
    kept = Fraction(live, stored)
    shares = {"the sparsity of all layers together": kept} if live < stored else {}
    if declared.sparsity is not None:
        shares["the declared sparsity"] = 1 - declared.sparsity
    for words, share in shares.items():
        names = tuple(
            row["name"]
            for row in evidence.layers
            if row["stored"] and Fraction(row["live"], row["stored"]) != share
        )
        for how, change in _shared_out(evidence.layers, "stored", "live", share):
            what = f"every layer at {words}, {float(1 - share):.4g}{how}"
            yield Deviation("global-sparsity", "macs", "parameters", change, what, names)
        for how, change in _shared_out(evidence.layers, "macs_stored", "macs", share):
            what = f"every layer at {words}, {float(1 - share):.4g}{how}"
            for dialect, quantity, times in _operations_of_a_product(evidence):
                yield Deviation("global-sparsity", dialect, quantity, change * times, what, names)


def _shared_out(
    rows: Iterable[Row], all_of: str, live_of: str, share: Fraction
) -> Iterator[tuple[str, Fraction]]:
    """The change if each row kept ``share``: exactly, and cut off to whole numbers row by row."""
    if live_of == "live":
        rows = [row for row in rows if not row["shared"]]
    true = sum(row[live_of] for row in rows)
    yield "", sum((row[all_of] * share for row in rows), Fraction(0)) - true
    whole = sum(int(row[all_of] * share) for row in rows)
    yield ", each layer's number cut off", Fraction(whole - true)


def _missing_factors(evidence: Evidence) -> Iterator[Deviation]:
    """A layer's channels left out: hooks that read another dimension, or forget groups."""
    deep = [(row, row["groups"]) for row in evidence.layers if row["groups"] > 1]
    plain = [row for row in evidence.layers if row["groups"] == 1 and len(row["weight_shape"]) > 1]
    yield from _divided(evidence, "depthwise", "depthwise layers without their channels", deep)
    for axis, channels in ((0, "output"), (1, "input")):
        found = [*deep, *((row, row["weight_shape"][axis]) for row in plain)]
        what = f"the batch size where the number of {channels} channels belongs"
        yield from _divided(evidence, "batch-size", what, found)


def _called_otherwise(evidence: Evidence) -> Iterator[Deviation]:
    """Multiply-accumulates called operations, and operations called multiply-accumulates."""
    macs = evidence.count("macs", "macs") or Fraction(0)
    what = "multiply-accumulates called operations: no additions"
    for dialect in ("2 × macs", RULES):
        operations = evidence.count(dialect, "operations") or macs
        yield Deviation("additions", dialect, "operations", macs - operations, what)
    what = "multiplications and additions counted one by one"
    yield Deviation("claim-dialect", "macs", "macs", macs, what)


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


def _operations_of_a_product(evidence: Evidence) -> tuple[tuple[str, str, Fraction], ...]:
    """What one product counts in each dialect, with the addition beside it."""
    quantised = any(0 < row["weight_bits"] < FULL // 2 for row in evidence.layers)
    bits = FULL if quantised else FULL // 2  # the allowance of 16 bits
    return (
        ("macs", "macs", Fraction(1)),
        ("2 × macs", "operations", Fraction(2)),
        (RULES, "operations", 1 + Fraction(bits, FULL)),
    )
