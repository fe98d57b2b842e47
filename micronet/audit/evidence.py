"""What a network costs, as evidence: counts in every dialect, with formulas, and what may differ.

The ``micronet.evidence/1`` document, read and written without torch; ``gather`` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from micronet.errors import MicronetError
from micronet.evaluation.bounded import read_json
from micronet.reports import RECEIPTS, file_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

SCHEMA: Final = "micronet.evidence/1"
MEAN: Final = ", mean over the examples"
SUFFIX: Final = ".evidence.json"
_MOST_BYTES: Final = 16_000_000


@dataclass(frozen=True)
class Term:
    """One product of a formula: so many ``times`` each of ``count`` things called ``name``."""

    name: str
    times: Fraction
    count: int


@dataclass(frozen=True)
class Count:
    """One number as a dialect counts it, exactly, and the formula it follows from."""

    dialect: str
    quantity: str
    number: Fraction
    formula: tuple[Term, ...] = ()


@dataclass(frozen=True)
class Deviation:
    """One way to count wrongly: what it changes in a dialect's number, and in which layers.

    ``id`` is the check that this deviation fails.
    """

    id: str
    dialect: str
    quantity: str
    change: Fraction
    what: str
    layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """Everything that is known of one network, torch not needed."""

    target: Mapping[str, Any]
    track: str
    rules: Mapping[str, str]
    counts: tuple[Count, ...]
    deviations: tuple[Deviation, ...]
    layers: tuple[Mapping[str, Any], ...]
    waterfall: tuple[Mapping[str, Any], ...] | None = None
    activations: tuple[Mapping[str, Any], ...] | None = None
    calibrated: tuple[Mapping[str, Any], ...] | None = None
    remark: str | None = None
    """What a claim about weights that nobody has would imply."""
    notes: tuple[str, ...] = ()

    def count(self, dialect: str, quantity: str) -> Fraction | None:
        """The number of ``quantity`` in ``dialect``, if it counts such a thing."""
        same = (c for c in self.counts if (c.dialect, c.quantity) == (dialect, quantity))
        return next((each.number for each in same), None)


def exact(number: Fraction | int) -> int | str:
    """A number for the document: an int, or an exact ratio such as "4178689/2"."""
    return int(number) if number == int(number) else str(Fraction(number))


def document(evidence: Evidence) -> dict[str, Any]:
    """The JSON document of ``evidence``."""
    return {
        "schema": SCHEMA,
        "target": dict(evidence.target),
        "track": evidence.track,
        "rules": dict(evidence.rules),
        "counts": [_count_row(each) for each in evidence.counts],
        "deviations": [_deviation_row(each) for each in evidence.deviations],
        "layers": [dict(row) for row in evidence.layers],
        "waterfall": _rows(evidence.waterfall),
        "activations": _rows(evidence.activations),
        "calibrated": _rows(evidence.calibrated),
        "remark": evidence.remark,
        "notes": list(evidence.notes),
    }


def _rows(rows: Iterable[Mapping[str, Any]] | None) -> list[dict[str, Any]] | None:
    return None if rows is None else [dict(row) for row in rows]


def _count_row(count: Count) -> dict[str, Any]:
    formula = [
        {"term": each.name, "times": exact(each.times), "count": each.count}
        for each in count.formula
    ]
    number = exact(count.number)
    return {
        "dialect": count.dialect,
        "quantity": count.quantity,
        "number": number,
        "formula": formula,
    }


def _deviation_row(deviation: Deviation) -> dict[str, Any]:
    return {
        "id": deviation.id,
        "dialect": deviation.dialect,
        "quantity": deviation.quantity,
        "change": exact(deviation.change),
        "what": deviation.what,
        "layers": list(deviation.layers),
    }


def evidence_path(root: Path, name: str) -> Path:
    """Where the evidence about a target called ``name`` lies under ``root``."""
    return root / RECEIPTS / file_name(f"{name}{SUFFIX}")


def read(path: Path) -> Evidence:
    """The evidence in ``path``; MicronetError for what is none."""
    raw = read_json(path, _MOST_BYTES)
    try:
        if raw["schema"] != SCHEMA:
            raise MicronetError(f"{path}: is {raw['schema']}, expected {SCHEMA}.")
        return _evidence(raw)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError) as error:
        raise MicronetError(
            f"{path}: is no {SCHEMA} document ({type(error).__name__}: {error}).",
            "Make it again: micronet audit --recount --save",
        ) from error


def _evidence(raw: Mapping[str, Any]) -> Evidence:
    return Evidence(
        target=dict(raw["target"]),
        track=str(raw["track"]),
        rules=dict(raw["rules"]),
        counts=tuple(_count(row) for row in raw["counts"]),
        deviations=tuple(_deviation(row) for row in raw["deviations"]),
        layers=tuple(dict(row) for row in raw["layers"]),
        waterfall=_maybe(raw["waterfall"]),
        activations=_maybe(raw["activations"]),
        calibrated=_maybe(raw["calibrated"]),
        remark=raw["remark"],
        notes=tuple(raw["notes"]),
    )


def _maybe(rows: Iterable[Mapping[str, Any]] | None) -> tuple[dict[str, Any], ...] | None:
    return None if rows is None else tuple(dict(row) for row in rows)


def _count(row: Mapping[str, Any]) -> Count:
    formula = tuple(
        Term(str(term["term"]), number(term["times"]), int(term["count"]))
        for term in row["formula"]
    )
    return Count(str(row["dialect"]), str(row["quantity"]), number(row["number"]), formula)


def _deviation(row: Mapping[str, Any]) -> Deviation:
    return Deviation(
        str(row["id"]),
        str(row["dialect"]),
        str(row["quantity"]),
        number(row["change"]),
        str(row["what"]),
        tuple(str(name) for name in row["layers"]),
    )


def number(value: int | str) -> Fraction:
    """An exact number of the document, as ``exact`` wrote it; ValueError for any other."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{value!r} is no exact number")  # noqa: TRY004  # one kind of error here
    return Fraction(value)
