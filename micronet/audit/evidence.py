"""What a network costs, as evidence: counts in every dialect, with formulas, and what may differ.

The ``micronet.evidence/1`` document, read and written without torch; ``gather`` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from micronet.audit.sound import SCHEMA, unsound
from micronet.errors import MicronetError
from micronet.evaluation.bounded import read_bounded, read_json
from micronet.reports import RECEIPTS, file_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

SUFFIX: Final = ".evidence.json"
MEAN: Final = ", mean over the examples"
"""Ends the name of a dialect whose numbers are means over real data (early exits)."""
_MOST_BYTES: Final = 16_000_000
_USUAL: Final[Mapping[str, Any]] = {
    "groups": 1,
    "batch": 1,
    "biases": 0,
    "mask_bits": 0,
    "shared": False,
    "weight_bits": 32,
    "weight_code": "float",
    "weight_levels": 0,
}
"""What most layers have; a row of the document leaves it out."""
_ALIKE: Final = (
    ("active", "live"),
    ("stored", "active"),
    ("macs_active", "macs"),
    ("macs_stored", "macs_active"),
    ("multiplications", "macs"),
)
"""(figure, another that it equals in most layers); a row leaves out the first where it does."""


@dataclass(frozen=True)
class Term:
    """One product of a formula: so many ``times`` each of ``count`` things called ``name``."""

    name: str
    times: Fraction
    count: int | Fraction


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
    track: str | None
    rules: Mapping[str, str]
    counts: tuple[Count, ...]
    deviations: tuple[Deviation, ...]
    layers: tuple[Mapping[str, Any], ...]
    waterfall: tuple[Mapping[str, Any], ...] | None = None
    activations: tuple[Mapping[str, Any], ...] | None = None
    calibrated: tuple[Mapping[str, Any], ...] | None = None
    remarks: Mapping[str, str] | None = None
    """What a claim about weights that nobody has would imply, by its quantity."""
    notes: tuple[str, ...] = ()

    def count(self, dialect: str, quantity: str) -> Fraction | None:
        """The number of ``quantity`` in ``dialect``, if it counts such a thing."""
        same = (c for c in self.counts if (c.dialect, c.quantity) == (dialect, quantity))
        return next((each.number for each in same), None)


NOTHING: Final = Evidence({}, "imagenet", {}, (), (), ())
"""About a network that nobody can count."""


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
        "deviations": list(_deviation_rows(evidence.deviations)),
        "layers": [_short(row) for row in evidence.layers],
        "waterfall": _rows(evidence.waterfall),
        "activations": _rows(evidence.activations),
        "calibrated": _rows(evidence.calibrated),
        "remarks": evidence.remarks and dict(evidence.remarks),
        "notes": list(evidence.notes),
    }


def _rows(rows: Iterable[Mapping[str, Any]] | None) -> list[dict[str, Any]] | None:
    return None if rows is None else [dict(row) for row in rows]


def _short(row: Mapping[str, Any]) -> dict[str, Any]:
    """A layer's row without what goes without saying."""
    usual = {**_USUAL, "weight": f"{row['name']}.weight"}
    usual |= {figure: row[like] for figure, like in _ALIKE}
    return {key: value for key, value in row.items() if key not in usual or usual[key] != value}


def _full(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row that ``_short`` made short."""
    full = {**_USUAL, "weight": f"{row['name']}.weight", **row}
    for figure, like in _ALIKE:
        full.setdefault(figure, full[like])
    return full


def _count_row(count: Count) -> dict[str, Any]:
    formula = [
        {"term": each.name, "times": exact(each.times), "count": exact(each.count)}
        for each in count.formula
    ]
    number = exact(count.number)
    return {
        "dialect": count.dialect,
        "quantity": count.quantity,
        "number": number,
        "formula": formula,
    }


def _deviation_rows(deviations: Iterable[Deviation]) -> Iterator[dict[str, Any]]:
    """Layers that a row before has named are given as the number of that row."""
    known: dict[tuple[str, ...], int] = {}
    for at, each in enumerate(deviations):
        before = known.setdefault(each.layers, at)
        yield {
            "id": each.id,
            "dialect": each.dialect,
            "quantity": each.quantity,
            "change": exact(each.change),
            "what": each.what,
            "layers": before if before < at and each.layers else list(each.layers),
        }


def evidence_path(root: Path, name: str) -> Path:
    """Where the evidence about a target called ``name`` lies under ``root``."""
    return root / RECEIPTS / file_name(f"{name}{SUFFIX}")


def read(path: Path) -> Evidence:
    """The evidence in ``path``; MicronetError for what is none, or contradicts itself."""
    return _read(path, sha256(read_bounded(path, _MOST_BYTES)).digest())


@lru_cache(maxsize=128)
def _read(path: Path, digest: bytes) -> Evidence:
    """A report asks for the same evidence many times; a file that was written anew is another."""
    del digest
    raw = read_json(path, _MOST_BYTES)
    wrong = unsound(raw)
    if not wrong:
        evidence = _evidence(raw)
        wrong = _contradiction(evidence)
    if wrong:
        raise MicronetError(
            f"{path}: is no {SCHEMA} document: {wrong}.",
            "Delete it, and make it again: micronet audit --recount --save",
        )
    return evidence


def _evidence(raw: Mapping[str, Any]) -> Evidence:
    return Evidence(
        target=raw["target"],
        track=raw["track"],
        rules=raw["rules"],
        counts=tuple(_count(row) for row in raw["counts"]),
        deviations=tuple(_deviation(row, raw["deviations"]) for row in raw["deviations"]),
        layers=tuple(_full(row) for row in raw["layers"]),
        waterfall=_maybe(raw["waterfall"]),
        activations=_maybe(raw["activations"]),
        calibrated=_maybe(raw["calibrated"]),
        remarks=raw["remarks"],
        notes=tuple(raw["notes"]),
    )


def _maybe(rows: Iterable[Mapping[str, Any]] | None) -> tuple[Mapping[str, Any], ...] | None:
    return None if rows is None else tuple(rows)


def _count(row: Mapping[str, Any]) -> Count:
    formula = tuple(
        Term(term["term"], Fraction(term["times"]), _whole(Fraction(term["count"])))
        for term in row["formula"]
    )
    return Count(row["dialect"], row["quantity"], Fraction(row["number"]), formula)


def _whole(number: Fraction) -> int | Fraction:
    return int(number) if number == int(number) else number


def _deviation(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Deviation:
    layers = row["layers"]
    return Deviation(
        row["id"],
        row["dialect"],
        row["quantity"],
        Fraction(row["change"]),
        row["what"],
        tuple(rows[layers]["layers"] if isinstance(layers, int) else layers),
    )


def _contradiction(evidence: Evidence) -> str | None:
    """What cannot be true together, of a document that has the right form."""
    for count in evidence.counts:
        total = sum(term.times * term.count for term in count.formula)
        if count.formula and total != count.number:
            said = f"{count.dialect}'s {count.quantity} are {count.number}"
            return f"{said}, but their formula gives {total}"
    for row in evidence.layers:
        if not row["weight_shape"]:
            return f"{row['name']} has a weight without dimensions"
        for names in (("live", "active", "stored"), ("macs", "macs_active", "macs_stored")):
            few, some, many = (row[name] for name in names)
            if not few <= some <= many:
                return f"{row['name']} has {few} {names[0]} of {some} of {many}"
    return None
