"""What people call the dialects: the only table of names for what documents call "2 × macs"."""

from __future__ import annotations

from typing import Final

_ALLOWANCE: Final = " without the 16-bit allowance"
_NAMES: Final = {
    "macs": ("the papers", "the papers'"),
    "micronet2019": ("the challenge", "the MicroNet Challenge's"),
    "micronet2019-counter": ("the challenge's counter", "the MicroNet Challenge counter's"),
    "dnw-release": ("DNW's code", "the DNW authors'"),
}
"""Dialect: what a table calls it, and whose dialect it is; the others are called as they are."""


def short_name(dialect: str) -> str:
    """For a table: "thop", "the papers, doubled"."""
    base, doubled, rest = _parts(dialect)
    name, _ = _NAMES.get(base, (base, ""))
    return f"{name}{', doubled' if doubled else ''}{rest}"


def long_name(dialect: str) -> str:
    """For a sentence: "thop's dialect", "the papers' dialect, doubled"."""
    base, doubled, rest = _parts(dialect)
    _, whose = _NAMES.get(base, ("", f"{base}'s"))
    return f"{whose} dialect{', doubled' if doubled else ''}{rest}"


def _parts(dialect: str) -> tuple[str, bool, str]:
    """(rule book, whether a multiply-accumulate is two operations, what else is special)."""
    doubled = dialect.startswith("2 × ")
    name = dialect.removeprefix("2 × ").replace(_ALLOWANCE, ", at 32 bits")
    base, comma, rest = name.partition(", ")
    return base, doubled, f"{comma}{rest}"
