"""An entry with one fault and its faultless twin, as plain values; and claims files of such entries."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Number = int | float | Fraction | str
Row = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """A number as the entry states it; ``dialect`` is the rule book that it names."""

    quantity: str
    number: Number
    dialect: str | None = None
    where: str | None = None

    def rows(self) -> Row:
        stated = str(self.number)
        named = {"dialect": self.dialect, "where": self.where}
        said = {key: value for key, value in named.items() if value is not None}
        return {"quantity": self.quantity, "stated": stated, **said}


@dataclass(frozen=True)
class Said:
    """What an entry says of its network: claims, how it counted, its own table, its parts."""

    claims: tuple[Claim, ...]
    declared: Row = field(default_factory=dict)
    layers: tuple[Row, ...] = ()
    parts: tuple[Row, ...] = ()
    model: str | None = None
    """Where it is another network than its twin's."""


@dataclass(frozen=True)
class Fault:
    """``check`` must fail and name ``layers``, and nothing else may; nothing at all for the twin."""

    words: str
    model: str
    check: str
    layers: tuple[str, ...]
    faulty: Said
    twin: Said
    fails: tuple[str, ...] = ()
    """The quantities whose claims must fail; none where the fault is one of words or of a table."""
    says: str = ""
    """Words of the first explanation."""

    @property
    def name(self) -> str:
        return self.words.replace(" ", "-").replace(",", "").replace("'", "")


def claims_file(entries: Iterable[tuple[str, str, Said]]) -> str:
    """The TOML of entries: (name, model, what it says)."""
    lines = ["title = 'Entries of which each has one fault, or none'"]
    for name, model, said in entries:
        lines += ["", "[[entry]]", *_keys({"name": name, "title": name, "by": "somebody"})]
        lines += _keys({"where": "README.md", "model": said.model or model})
        lines += ["input = [1, 3, 32, 32]"]
        lines += ["[entry.declared]", *_keys(said.declared)] if said.declared else []
        for table, rows in (
            ("claim", [claim.rows() for claim in said.claims]),
            ("layer", said.layers),
            ("part", said.parts),
        ):
            for row in rows:
                lines += [f"[[entry.{table}]]", *_keys(row)]
    return "\n".join(lines) + "\n"


def _keys(row: Row) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in row.items()]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float | list) else f'"{value}"'
