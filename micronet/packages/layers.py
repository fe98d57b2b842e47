"""The per-layer table of a score: a row a layer, the rows add up to the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from micronet.packages.texts import csv_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS: Final = (
    "name", "operator", "weight", "weight_shape", "stored", "active", "live", "weight_bits",
    "weight_code", "input_bits", "output_positions", "calls", "multiplications", "additions",
    "other", "total", "storage_bits",
)  # fmt: skip
SUMMED: Final = (
    *("stored", "active", "live", "multiplications", "additions", "other", "total", "storage_bits"),
)
TOTAL: Final = "(total)"


def layers_csv(document: Mapping[str, Any]) -> bytes:
    """The layers of a ``micronet.score/1`` document as CSV."""
    layers = document["layers"]
    sums = {key: sum(layer[key] for layer in layers) for key in SUMMED}
    rows = [[_cell(layer.get(column)) for column in COLUMNS] for layer in layers]
    total = [TOTAL, *(_cell(sums.get(column)) for column in COLUMNS[1:])]
    return csv_bytes([COLUMNS, *rows, total])


def _cell(value: Any) -> Any:
    return "x".join(map(str, value)) if isinstance(value, list) else value
