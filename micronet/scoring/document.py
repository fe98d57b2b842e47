"""From a tally to the ``micronet.score/1`` document that everything else is made from."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from micronet.scoring.bits import FULL
from micronet.scoring.printed import exact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from micronet.scoring.rulebook import RuleBook
    from micronet.scoring.tally import Layer, Tally
    from micronet.scoring.tracks import Track
    from micronet.scoring.transient import Transient

SCHEMA = "micronet.score/1"
UNTRAINED = "untrained: costs are exact, accuracy unknown"


def score_document(
    *,
    target: Mapping[str, Any],
    bill: Tally,
    book: RuleBook,
    track: Track | None,
    transient: Transient,
    full_width: Tally,
    notes: Sequence[str],
) -> dict[str, Any]:
    """The document of one network under one rule book; without a track it has no score.

    ``full_width`` is the same bill without the 16-bit freebie.
    """
    cost = bill.cost
    return {
        "schema": SCHEMA,
        "target": dict(target),
        "rules": {"name": book.name, "sha256": book.sha256, "unit": book.unit, "edges": book.edges},
        "track": None if track is None else track.name,
        "storage": {
            "bits": bill.storage_bits,
            "parameters": _over_32(bill.storage_bits),
            "by": dict(bill.storage_by),
            "values": sum(tensor.mask.values for tensor in bill.tensors),
        },
        "operations": {
            "multiplications": cost.multiplications,
            "additions": cost.additions,
            "other": cost.other,
            "total": exact(cost.total),
            "unweighted": cost.multiplications + cost.additions + cost.other,
        },
        "edges": {"stored": bill.stored, "active": bill.active, "live": bill.live},
        "freebie": bill.freebie,
        "score": _score(bill, full_width, book, track),
        "quality": _quality(track),
        "transient": {
            "elements": transient.elements,
            "bits": transient.bits,
            "at": transient.at,
        },
        "layers": [_layer(layer, bill, book) for layer in bill.layers] + _unlayered(bill, book),
        "notes": [*notes, *bill.notes],
    }


def _over_32(bits: int) -> int | float:
    return bits // FULL if bits % FULL == 0 else bits / FULL


def _score(
    bill: Tally, full_width: Tally, book: RuleBook, track: Track | None
) -> dict[str, float] | None:
    """The challenge's score; None without a track, and by a book that does not count operations."""
    if track is None:
        return None
    if book.counter == "dnw-release":
        return _entry_score(bill, track)
    if book.storage != "challenge":
        return None
    parts = track.score(Fraction(bill.storage_bits, FULL), bill.cost.total)
    full = track.score(Fraction(full_width.storage_bits, FULL), full_width.cost.total)
    return {
        "storage": float(parts.storage),
        "operations": float(parts.operations),
        "total": float(parts.total),
        "without_freebie": float(full.total),
    }


def _entry_score(bill: Tally, track: Track) -> dict[str, float]:
    """As DNW's entry was scored: 16-bit values; a multiplication at 16 bits and an addition a MAC."""
    parameters = Fraction(bill.storage_bits, 2 * FULL)
    parts = track.score(parameters, Fraction(3 * bill.cost.multiplications, 2))
    return {
        "storage": float(parts.storage),
        "operations": float(parts.operations),
        "total": float(parts.total),
    }


def _quality(track: Track | None) -> dict[str, Any]:
    return {
        "metric": "top1" if track is None else track.metric,
        "correct": None,
        "of": None,
        "value": None,
        "threshold": None if track is None else float(track.threshold),
        "qualifies": None,
        "receipt": None,
    }


def _layer(layer: Layer, bill: Tally, book: RuleBook) -> dict[str, Any]:
    weight = layer.weight
    bits = None
    if weight is not None:
        bits = min(weight.width.bits, book.freebie_bits) if bill.freebie else weight.width.bits
    return {
        "name": layer.name or "(model)",
        "operator": layer.operator,
        "weight": weight.name if weight else None,
        "weight_shape": list(weight.shape) if weight else None,
        "shared": layer.shared,
        "stored": weight.stored if weight and not layer.shared else 0,
        "active": weight.active if weight and not layer.shared else 0,
        "live": weight.live if weight and not layer.shared else 0,
        "weight_bits": bits,
        "weight_code": weight.width.code if weight else None,
        "input_bits": book.freebie_bits if bill.freebie else FULL,
        "output_positions": layer.positions or None,
        "calls": layer.calls,
        "multiplications": layer.cost.multiplications,
        "additions": layer.cost.additions,
        "other": layer.cost.other,
        "total": exact(layer.cost.total),
        "storage_bits": layer.storage_bits,
    }


def _unlayered(bill: Tally, book: RuleBook) -> list[dict[str, Any]]:
    """One row a role for what is stored outside weights (biases, norms, tables), so that rows add up."""
    rest = bill.storage_bits - sum(layer.storage_bits for layer in bill.layers)
    if rest == 0:
        return []
    del book
    row: dict[str, Any] = {
        "name": "(biases, norms, tables)",
        "operator": "storage",
        "weight": None,
        "weight_shape": None,
        "weight_bits": None,
        "weight_code": None,
        "input_bits": None,
        "output_positions": None,
        "calls": 0,
        "total": 0,
        "storage_bits": rest,
    }
    row |= dict.fromkeys(("stored", "active", "live", "multiplications", "additions", "other"), 0)
    return [row]
