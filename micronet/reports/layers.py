"""What each layer of a scored network costs, and each stage of it; rows add up to the totals."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from micronet.reports.score_receipt import exactly
from micronet.reports.table import UNKNOWN, Cell, Column, Note, Row, Table, add_up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from micronet.reports.material import Network
    from micronet.reports.score_receipt import ScoreReceipt

_COUNTS: Final = ("stored", "active", "live")
_COSTS: Final = ("multiplications", "additions", "other", "total", "storage_bits")
LAYER_COLUMNS: Final = (
    Column("layer", "Layer", text=True),
    Column("operator", "Operator", text=True, gives_way=4),
    Column("weight_shape", "Weight", text=True, gives_way=5),
    Column("stored_values", "stored", group="Values", gives_way=6),
    Column("active_values", "active", group="Values", gives_way=8),
    Column("live_values", "live", group="Values", gives_way=2),
    Column("weight_bits", "weight", group="Bits", gives_way=7),
    Column("input_bits", "input", group="Bits", gives_way=7),
    Column("output_positions", "Positions", gives_way=9),
    Column("multiplications", "multiplications", group="Operations", gives_way=3),
    Column("additions", "additions", group="Operations", gives_way=3),
    Column("other_operations", "other", group="Operations", gives_way=3),
    Column("operations", "total", group="Operations"),
    Column("storage_bits", "Storage", "bits"),
)
STAGE_COLUMNS: Final = (
    Column("stage", "Stage", text=True),
    Column("storage_bits", "bits", group="Storage"),
    Column("score_storage", "score", group="Storage", decimals=4),
    Column("operations", "operations", group="Operations"),
    Column("score_operations", "score", group="Operations", decimals=4),
    Column("score", "Score", decimals=4),
)


def layers_table(receipt: ScoreReceipt) -> Table:
    """Every row of the receipt; MicronetError if they do not add up to its totals."""
    document = receipt.document
    total = {
        **document["edges"],
        **document["operations"],
        "storage_bits": document["storage"]["bits"],
    }
    return add_up(
        Table(
            name=f"layers-{receipt.key}",
            title=f"Layers of {receipt.name}, {receipt.book}",
            columns=LAYER_COLUMNS,
            rows=tuple(_layer(layer) for layer in document["layers"]),
            total=_total(total),
            notes=(Note("Live: not zero, fed by something, and of use to the output."),),
        )
    )


def _layer(layer: Mapping[str, Any]) -> Row:
    weighted = layer["weight_shape"] is not None
    shape = "×".join(map(str, layer["weight_shape"])) if weighted else ""
    return Row(
        (
            Cell(layer["name"]),
            Cell(layer["operator"]),
            Cell(shape),
            # Blank without a weight: 0 would read as "all of them are dead".
            *(_number(layer[key]) if weighted else Cell("") for key in _COUNTS),
            *(_blank(layer[key]) for key in ("weight_bits", "input_bits", "output_positions")),
            *(_number(layer.get(key)) for key in _COSTS),
        )
    )


def _total(total: Mapping[str, Any]) -> Row:
    return Row(
        (
            Cell("total"),
            *(Cell("") for _ in range(2)),
            *(_number(total[key]) for key in _COUNTS),
            *(Cell("") for _ in range(3)),
            *(_number(total[key]) for key in _COSTS),
        )
    )


def _number(value: float | None) -> Cell:
    return UNKNOWN if value is None else Cell(_whole(exactly(value)))


def _blank(value: float | None) -> Cell:
    return Cell("") if value is None else _number(value)


def _whole(value: Fraction) -> int | Fraction:
    return int(value) if value == int(value) else value


def stages_table(network: Network) -> Table:
    """Where the score comes from, by top-level module; MicronetError if it does not add up."""
    receipt, track = network.receipt, network.track
    storage: dict[str, Fraction] = {}
    operations: dict[str, Fraction] = {}
    stages = stage_names([layer["name"] for layer in receipt.document["layers"]])
    for stage, layer in zip(stages, receipt.document["layers"], strict=True):
        storage[stage] = storage.get(stage, Fraction(0)) + exactly(layer["storage_bits"])
        operations[stage] = operations.get(stage, Fraction(0)) + exactly(layer.get("total", 0))
    parts = [(stage, storage[stage], operations[stage]) for stage in storage]

    def row(name: str, bits: Fraction, operations: Fraction) -> Row:
        score = track.score(bits / 32, operations)
        numbers = (bits, score.storage, operations, score.operations, score.total)
        return Row((Cell(name), *(Cell(_whole(number)) for number in numbers)))

    return add_up(
        Table(
            name=f"stages-{receipt.key}",
            title=f"Where the score of {receipt.name} comes from",
            columns=STAGE_COLUMNS,
            rows=tuple(row(*part) for part in parts),
            total=row("total", receipt.parameters * 32, receipt.operations),
            notes=(
                Note(f"Each part by the rules of {receipt.book}, over the baseline of the track."),
            ),
        )
    )


def stage_names(names: Sequence[str]) -> list[str]:
    """The stage of each layer: its top-level module, or the child of one that holds most layers.

    "layers.3.norm.0" belongs to "layers.3" where "layers" is nearly the whole network.
    """
    tops = Counter(name.split(".")[0] for name in names)
    large = {top for top, count in tops.items() if 2 * count > len(names)}
    return [_stage(name, opened=name.split(".")[0] in large) for name in names]


def _stage(name: str, *, opened: bool) -> str:
    return ".".join(name.split(".")[: 2 if opened else 1])
