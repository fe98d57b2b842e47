"""How a cell looks: numbers with separators, rounded here and nowhere else; text made harmless."""

from __future__ import annotations

import unicodedata
from fractions import Fraction
from math import isqrt
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from micronet.reports.table import Cell, Column

DASH: Final = "–"
MINUS: Final = "−"
_MOST_DECIMALS: Final = 3
_SORT_DECIMALS: Final = 15
_UNSEEN: Final = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def shown(cell: Cell, column: Column) -> str:
    """What stands in the table: as stated, or the number as its column prints numbers."""
    if cell.stated:
        return visible(cell.stated)
    if cell.value is None:
        return DASH
    if isinstance(cell.value, str):
        return visible(cell.value)
    text = number(cell.value, column.decimals, signed=column.signed and not cell.whole)
    if cell.variance is None:
        return text
    places = _MOST_DECIMALS if column.decimals is None else column.decimals
    return f"{text} ± {number(root(cell.variance, places), column.decimals)}"


def number(value: int | Fraction, decimals: int | None = None, *, signed: bool = False) -> str:
    """``1,234``, ``2,089,344.5``, ``0.9776``; without ``decimals`` as many as needed, at most 3."""
    places = _MOST_DECIMALS if decimals is None else decimals
    digits = _decimal(abs(Fraction(value)), places)
    whole, point, rest = digits.partition(".")
    if decimals is None:
        rest = rest.rstrip("0")
    text = f"{int(whole):,}{point if rest else ''}{rest}"
    negative = value < 0 and any(digit in "123456789" for digit in text)
    plus = "+" if signed and value > 0 else ""
    return (MINUS if negative else plus) + text


def plain_number(value: int | Fraction) -> str:
    """A number for machines: all digits of a whole one, else 15 decimals without ending zeros."""
    if value == int(value):
        return str(int(value))
    sign = "-" if value < 0 else ""
    return sign + _decimal(abs(Fraction(value)), _SORT_DECIMALS).rstrip("0").rstrip(".")


def _decimal(value: Fraction, places: int) -> str:
    """``value`` (0 or more) with ``places`` decimals, half to even, without passing through a float."""
    scaled = round(value * 10**places)
    if places == 0:
        return str(scaled)
    whole, rest = divmod(scaled, 10**places)
    return f"{whole}.{rest:0{places}d}"


def root(value: Fraction, places: int = _SORT_DECIMALS) -> Fraction:
    """The square root of ``value`` (0 or more) to ``places`` decimals, half to even, by integers."""
    scaled = value * 10 ** (2 * places)
    halves = isqrt(int(4 * scaled))
    whole, half = divmod(halves, 2)
    tie = halves * halves == 4 * scaled
    up = half == 1 and not (tie and whole % 2 == 0)
    return Fraction(whole + up, 10**places)


def visible(text: str) -> str:
    """``text`` on one line, with everything that cannot be seen (controls, bidi) written out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_seen(character) for character in text)


def _seen(character: str) -> str:
    if unicodedata.category(character) in _UNSEEN:
        code = ord(character)
        return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"
    return character
