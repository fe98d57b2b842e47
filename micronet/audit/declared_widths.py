"""Widths as an entry declares them against those measured: what they make of its numbers. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from micronet.audit.evidence import Count, Deviation, Evidence
from micronet.audit.watched import contradictions, of_rows
from micronet.scoring.rules_arithmetic import FREEBIE_BITS as FREEBIE
from micronet.scoring.rules_arithmetic import FULL_BITS as FULL
from micronet.scoring.tracks import track_or_none

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from micronet.audit.entry import Declared, LayerRow

    Row = Mapping[str, Any]

RULES: Final = "micronet2019"
AS_MEASURED: Final = "micronet2019, inputs as wide as measured"
AS_DECLARED: Final = "micronet2019, inputs as wide as declared"


@dataclass(frozen=True)
class Said:
    """What an entry declares: of all layers, and row by row in its own table."""

    declared: Declared
    layers: Sequence[LayerRow] = ()


def by_width(evidence: Evidence, said: Said) -> Iterator[Count]:
    """The challenge's operations with each product at its widest input, where inputs are narrow.

    Where the inputs were measured an entry's own width stands unless the values contradict it:
    values that happen to be narrower make no multiplier narrower.
    """
    total = evidence.count(RULES, "operations")
    if total is None or not _quantised(evidence):
        return  # the 16-bit allowance stands in the plain count
    if evidence.activations:
        saved = _saved(evidence.layers, true_widths(evidence, said))
        yield from _with_score(evidence, AS_MEASURED, total - saved)
    if declared := declared_inputs(evidence, said):
        yield from _with_score(evidence, AS_DECLARED, total - _saved(evidence.layers, declared))


def _with_score(evidence: Evidence, dialect: str, operations: Fraction) -> Iterator[Count]:
    yield Count(dialect, "operations", operations)
    parameters, track = evidence.count(RULES, "parameters"), track_or_none(evidence.track)
    if parameters is not None and track is not None:
        yield Count(dialect, "score", track.score(parameters, operations).total)


def _saved(rows: tuple[Row, ...], widths: Mapping[str, int]) -> Fraction:
    """What narrow products cost less than at 32 bits (Scoring §2: n/32, the widest input decides)."""
    return sum((_saved_by(row, widths.get(row["name"], FULL)) for row in rows), Fraction(0))


def _saved_by(row: Row, input_bits: int) -> Fraction:
    widest = max(input_bits, row["weight_bits"])
    return Fraction(row["multiplications"] * max(FULL - widest, 0), FULL)


def declared_inputs(evidence: Evidence, said: Said) -> dict[str, int]:
    """The width of what enters each layer, as the entry and its table declare it."""
    usual = said.declared.activation_bits
    own = {row.name: row.input_bits for row in said.layers if row.input_bits is not None}
    if usual is None:
        return own
    names = [row["name"] for row in evidence.layers]
    names += [row["layer"] for row in evidence.activations or () if row["role"] == "layer"]
    return {**dict.fromkeys(names, usual), **own}


def input_bits(evidence: Evidence) -> dict[str, int]:
    """The measured width of what enters each layer; empty where nothing was measured."""
    found: dict[str, int] = {}
    for row in evidence.activations or ():
        if row["role"] == "layer":
            found[row["layer"]] = max(found.get(row["layer"], 0), row["bits"])
    return found


def true_widths(evidence: Evidence, said: Said) -> dict[str, int]:
    """Measured widths, but the declared one where no value contradicts it."""
    declared = declared_inputs(evidence, said)
    wrong = contradicted(evidence, declared)
    measured = input_bits(evidence)
    return {**measured, **{name: declared[name] for name in declared if name not in wrong}}


def contradicted(evidence: Evidence, declared: Mapping[str, int]) -> set[str]:
    """The layers whose inputs took more different values than their declared width has codes for."""
    rows = [row for row in evidence.activations or () if row["role"] == "layer"]
    return {each.layer for each in contradictions(of_rows(rows), declared)}


def declared_widths(evidence: Evidence, said: Said) -> Iterator[Deviation]:
    """What counting at declared widths changes where the values contradict them."""
    yield from _inputs(evidence, said)
    yield from _weights(evidence, said)


def _inputs(evidence: Evidence, said: Said) -> Iterator[Deviation]:
    declared = declared_inputs(evidence, said)
    wrong = contradicted(evidence, declared)
    rows = tuple(row for row in evidence.layers if row["name"] in wrong)
    saved = _saved(rows, declared) - _saved(rows, true_widths(evidence, said))
    what = "inputs as wide as declared, not as wide as they are"
    names = tuple(row["name"] for row in rows)
    yield Deviation("activation-bits", AS_MEASURED, "operations", -saved, what, names)


def _weights(evidence: Evidence, said: Said) -> Iterator[Deviation]:
    """Weights that are wider than declared stored at the declared width, with and without scales."""
    declared = declared_weights(evidence, said)
    wide = [
        row
        for row in evidence.layers
        if row["live"]
        and not row["shared"]
        and row["weight_bits"] > declared.get(row["name"], FULL)
    ]
    total = evidence.count(RULES, "bits")
    if not wide or total is None:
        return
    change = sum(
        row["live"] * declared[row["name"]] + row["mask_bits"] - row["bits"] for row in wide
    )
    if not _quantised(evidence):  # then nothing else has the allowance of 16 bits any more
        others = total - sum(row["bits"] for row in wide)
        others -= sum(row["mask_bits"] for row in evidence.layers if row not in wide)
        change += others
    names = tuple(row["name"] for row in wide)
    scales = {
        "": 0,
        ", with one scale each": FULL * len(wide),
        ", with a scale a channel": FULL * sum(row["weight_shape"][0] for row in wide),
    }
    for words, bits in scales.items():
        what = f"weights as wide as declared, not as wide as they are{words}"
        by = Fraction(change + bits, FULL)
        yield Deviation("weight-bits", RULES, "parameters", by, what, names)


def declared_weights(evidence: Evidence, said: Said) -> dict[str, int]:
    """The width of each layer's weights, as the entry and its table declare it."""
    own = {row.name: row.weight_bits for row in said.layers if row.weight_bits is not None}
    usual = said.declared.weight_bits
    names = [row["name"] for row in evidence.layers] if usual is not None else []
    return {**{name: usual for name in names if usual is not None}, **own}


def _quantised(evidence: Evidence) -> bool:
    return any(0 < row["weight_bits"] < FREEBIE for row in evidence.layers)
