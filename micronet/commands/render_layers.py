"""The layer table: what each operator of the network costs, adding up to the totals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from micronet.commands import numbers
from micronet.commands.console import plain_table

if TYPE_CHECKING:
    from rich.table import Table

Row = Mapping[str, Any]

_SUMMED: Final = (
    "stored", "active", "live", "multiplications", "additions", "other", "storage_bits",
)  # fmt: skip
_GUTTER: Final = 3
_LONGEST_NAME: Final = 44


@dataclass(frozen=True)
class Column:
    """One column: its title, its text for a row, and when it gives way on a narrow terminal."""

    title: str
    text: Callable[[Row], str]
    gives_way: int = 0
    """0 never; otherwise the columns with the highest number are left out first."""
    right: bool = True


def _counted(key: str) -> Callable[[Row], str]:
    return lambda row: numbers.count(row[key])


def _edges(key: str) -> Callable[[Row], str]:
    """Blank where an operator has no weight: 0 would read as "all of them are dead"."""
    return lambda row: "" if row.get("weight_shape", ()) is None else numbers.count(row[key])


def _bits(row: Row) -> str:
    if "weight_bits" not in row:
        return ""
    return f"{numbers.count(row['weight_bits'])}·{numbers.count(row['input_bits'])}"


def _positions(row: Row) -> str:
    return numbers.count(row["output_positions"]) if "output_positions" in row else ""


def _shortened(name: str) -> str:
    """A module's name, its middle left out where it is long: both ends tell layers apart."""
    if len(name) <= _LONGEST_NAME:
        return name
    half = _LONGEST_NAME // 2
    return f"{name[: half - 1]}…{name[-half:]}"


COLUMNS: Final = (
    Column("layer", lambda row: _shortened(row["name"]), right=False),
    Column("operator", lambda row: row.get("operator", ""), gives_way=5, right=False),
    Column("weight", lambda row: numbers.shape(row.get("weight_shape")), gives_way=6, right=False),
    Column("stored", _edges("stored"), gives_way=4),
    Column("active", _edges("active"), gives_way=8),
    Column("live", _edges("live"), gives_way=2),
    Column("bits w·x", _bits, gives_way=7),
    Column("positions", _positions, gives_way=9),
    Column("multiplications", _counted("multiplications")),
    Column("additions", _counted("additions")),
    Column("other", _counted("other"), gives_way=3),
    Column("storage bits", _counted("storage_bits")),
)


def layers_table(document: Mapping[str, Any], *, top: int | None, width: int | None) -> Table:
    """The ``top`` layers by operations, the rest in one line, and the totals of the document."""
    shown, rest = costliest(document["layers"], top)
    rows = [*shown, *rest, totals(document)]
    columns = _fitting(rows, width)
    table = plain_table("layers" if not rest else f"layers, the {len(shown)} costliest of them")
    for column in columns:
        side: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(column.title, justify=side, no_wrap=column.right, overflow="fold")
    for row in rows[:-1]:
        table.add_row(*(column.text(row) for column in columns))
    table.add_section()
    table.add_row(*(column.text(rows[-1]) for column in columns), style="bold")
    return table


def costliest(layers: Sequence[Row], top: int | None) -> tuple[list[Row], list[Row]]:
    """The ``top`` rows by operations, and no row or one row that sums up all others."""
    if top is None or len(layers) <= top:
        return list(layers), []
    ranked = sorted(layers, key=_operations, reverse=True)
    others = ranked[top:]
    return ranked[:top], [{"name": f"{len(others)} more", **_sums(others)}]


def totals(document: Mapping[str, Any]) -> Row:
    """The last line: what the document says of the whole network, not a sum made here."""
    operations = {
        key: document["operations"][key] for key in ("multiplications", "additions", "other")
    }
    storage_bits = document["storage"]["bits"]
    return {"name": "total", **document["edges"], **operations, "storage_bits": storage_bits}


def _sums(rows: Iterable[Row]) -> dict[str, int]:
    rows = list(rows)
    return {key: sum(row[key] for row in rows) for key in _SUMMED}


def _operations(row: Row) -> int:
    return int(row["multiplications"] + row["additions"] + row["other"])


def _fitting(rows: Sequence[Row], width: int | None) -> list[Column]:
    columns = list(COLUMNS)
    if width is None:
        return columns

    def needed(column: Column) -> int:
        return max(len(column.title), *(len(column.text(row)) for row in rows)) + _GUTTER

    while sum(needed(column) for column in columns) - _GUTTER > width:
        giving_way = max(columns, key=lambda column: column.gives_way)
        if giving_way.gives_way == 0:
            break
        columns.remove(giving_way)
    return columns
