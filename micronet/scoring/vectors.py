"""The rules' own worked examples, as vectors that our arithmetic must reproduce."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from micronet.errors import MicronetError
from micronet.scoring.printed import Printed, printed
from micronet.scoring.tables import Table, read
from micronet.shelf import folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Input = str | int | tuple[int, ...]


@dataclass(frozen=True)
class WorkedExample:
    """One example of the rules: ``inputs`` give ``expected``, to the digits the rules print.

    The kinds and their inputs: "score" (track, parameters, operations), "bitmask bits" (shape,
    block), "parameter weight" (bits), "operation weight" (input_bits, output_bits).
    """

    title: str
    kind: str
    inputs: Mapping[str, Input]
    stated: str
    expected: Fraction
    clause: str

    def agrees(self, exact: Fraction | int) -> bool:
        """Whether ``exact`` is the expected value; rounded only if the rules print decimals."""
        if "." in self.stated:
            return printed(self.stated).rounded_from(exact)
        return exact == self.expected


def worked_examples() -> tuple[WorkedExample, ...]:
    """All worked examples, in the file's order."""
    return _shipped()


@cache
def _shipped() -> tuple[WorkedExample, ...]:
    return load(folder("scoring") / "worked_examples.toml")


def load(path: Path) -> tuple[WorkedExample, ...]:
    """Read and check a file of examples; every problem is named in one MicronetError."""
    table = read(path)
    found = tuple(_example(row) for row in table.tables("example"))
    table.done()
    return found


def _sizes(inputs: Table, key: str) -> tuple[int, ...]:
    return inputs.sequence(key, of=Table.positive)


_INPUTS: dict[str, dict[str, Callable[[Table, str], Input]]] = {
    "score": {"track": Table.text, "parameters": Table.count, "operations": Table.count},
    "bitmask bits": {"shape": _sizes, "block": _sizes},
    "parameter weight": {"bits": Table.positive},
    "operation weight": {"input_bits": _sizes, "output_bits": Table.positive},
}


def _example(row: Table) -> WorkedExample:
    kind = row.word("kind", _INPUTS)
    inputs = row.table("inputs")
    stated = row.text("expected")
    return WorkedExample(
        title=row.text("title"),
        kind=kind,
        inputs=MappingProxyType({key: get(inputs, key) for key, get in _INPUTS[kind].items()}),
        stated=stated,
        expected=_expected(row, stated).number,
        clause=row.text("clause"),
    )


def _expected(row: Table, stated: str) -> Printed:
    try:
        return printed(stated)
    except MicronetError as error:
        if stated:
            row.problem("expected", f"cannot be read: {error.message}")
        return Printed(Fraction(0), Fraction(0))
