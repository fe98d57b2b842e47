"""Score receipts on disk: believed only after their rows were added up again. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import resources
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from micronet.errors import MicronetError
from micronet.evaluation.bounded import read_json
from micronet.evaluation.schema import problems
from micronet.reports import RECEIPTS, file_name
from micronet.scoring.tracks import Track
from micronet.scoring.tracks import track as track_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from micronet.scoring.tracks import TrackScore

SCHEMA: Final = "micronet.score/1"
BOOK: Final = "micronet2019"
MAX_FILE_BYTES: Final = 2**26
LARGEST: Final = 10**24  # no network costs more; above it, drawing would overflow
_OTHERS: Final = (".evaluation.json", ".evidence.json", ".training.json")
_MOST_SHOWN: Final = 3
_SUMMED: Final = ("multiplications", "additions", "other")
_EDGES: Final = ("stored", "active", "live")


@dataclass(frozen=True)
class ScoreReceipt:
    """A ``micronet.score/1`` document that agrees with itself; ``key`` is a name for its tables."""

    key: str
    path: Path
    document: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What was scored."""
        return str(self.document["target"]["name"])

    @property
    def book(self) -> str:
        """The rule book that it was scored by."""
        return str(self.document["rules"]["name"])

    @property
    def parameters(self) -> Fraction:
        """What is stored, in parameters of 32 bits."""
        return exactly(self.document["storage"]["bits"]) / 32

    @property
    def operations(self) -> Fraction:
        """Operations as the book weighs them."""
        return exactly(self.document["operations"]["total"])

    @property
    def track(self) -> Track | None:
        """The track whose baseline it is measured by."""
        name = self.document["track"]
        return None if name is None else track_named(name)

    def score(self, track: Track) -> TrackScore:
        """The challenge's score, exactly, worked out anew."""
        return track.score(self.parameters, self.operations)


def exactly(value: float) -> Fraction:
    """A JSON number as it is meant: counts are whole or dyadic, which a float holds exactly."""
    return Fraction(value)


def read_receipts(root: Path) -> tuple[ScoreReceipt, ...]:
    """Every score receipt in ``root``/reports/receipts, by file name.

    MicronetError for a file that is no receipt, contradicts itself, or whose name would give the
    same tables as another's.
    """
    found: list[ScoreReceipt] = []
    for path in sorted((root / RECEIPTS).glob("*.json")):
        if path.name.endswith(_OTHERS):
            continue
        document = read_json(path, MAX_FILE_BYTES)
        schema = document.get("schema") if isinstance(document, dict) else None
        if isinstance(schema, str) and schema.startswith("micronet.") and schema != SCHEMA:
            continue
        found.append(_checked(path, document))
    _check_names(found)
    return tuple(found)


def _checked(path: Path, document: Any) -> ScoreReceipt:
    wrong = list(islice(problems(document, _schema()), _MOST_SHOWN))
    if not wrong:
        wrong = list(islice(_too_large(document), 1)) or list(_contradictions(document))
    if wrong:
        raise MicronetError(
            f"{path}: is no receipt of a score: {'; '.join(wrong)}.",
            "Delete it, and score again: micronet score TARGET --save",
        )
    key = file_name(path.name.removesuffix(".json").removesuffix(f".{BOOK}"))
    return ScoreReceipt(key, path, document)


@cache
def _schema() -> Mapping[str, Any]:
    text = resources.files("micronet").joinpath("scoring/score.schema.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _too_large(value: object, place: str = "the document") -> Iterator[str]:
    if isinstance(value, int | float) and abs(value) > LARGEST:
        yield f"{place} is above {LARGEST:.0e}"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _too_large(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _too_large(inner, place)


def _contradictions(document: Mapping[str, Any]) -> Iterator[str]:
    """What cannot be true together, of a document that has the right form."""
    layers, storage, operations = (document[key] for key in ("layers", "storage", "operations"))
    totals = {
        **{key: operations[key] for key in _SUMMED},
        **{key: document["edges"][key] for key in _EDGES},
        "storage_bits": storage["bits"],
    }
    if all("total" in layer for layer in layers):
        totals["total"] = operations["total"]
    for key, total in totals.items():
        found = sum((exactly(layer[key]) for layer in layers), Fraction(0))
        if layers and found != exactly(total):
            yield f"the layers' {key} add up to {found}, not {total}"
    if sum((exactly(bits) for bits in storage["by"].values()), Fraction(0)) != storage["bits"]:
        yield f"the parts of storage do not add up to {storage['bits']} bits"
    shape = document["target"].get("input", [])
    if not isinstance(shape, list) or not all(type(extent) is int for extent in shape):
        yield f"target.input is {shape!r}, expected a list of whole numbers"
    if storage["parameters"] * 32 != storage["bits"]:
        yield f"{storage['bits']} bits are not {storage['parameters']} parameters"
    yield from _wrong_score(document)
    steps = document.get("waterfall") or []
    if not isinstance(steps, list) or not all(_is_step(step) for step in steps):
        yield "waterfall is no list of steps"


def _is_step(step: object) -> bool:
    return (
        isinstance(step, dict)
        and isinstance(step.get("name"), str)
        and all(_is_number(step.get(key)) for key in ("parameters", "operations"))
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong_score(document: Mapping[str, Any]) -> Iterator[str]:
    said, book = document["score"], document["rules"]["name"]
    if said is None or document["track"] is None or book != BOOK:
        return
    parts = track_named(document["track"]).score(
        exactly(document["storage"]["bits"]) / 32, exactly(document["operations"]["total"])
    )
    for key, due in parts._asdict().items():
        if said[key] != float(due):
            yield f"score.{key} is {said[key]}, but its counts make it {float(due)}"


def _check_names(receipts: list[ScoreReceipt]) -> None:
    """File systems that ignore case must not lose a table."""
    seen: dict[str, ScoreReceipt] = {}
    for receipt in receipts:
        other = seen.setdefault(receipt.key.casefold(), receipt)
        if other is not receipt or not receipt.key:
            raise MicronetError(
                f"{receipt.path}: its tables could not be told from those of {other.path.name}.",
                "Rename one of the receipts.",
            )
