"""Numbers and formulas as an audit writes them: every digit of a count, four of a ratio."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from micronet.audit.evidence import Count, Term
    from micronet.scoring.printed import Printed

MOST_TERMS: Final = 4


def shown(number: Fraction) -> str:
    """A number with its thousands apart ("2,089,344.5"), or a score by five digits ("0.97765")."""
    if number == int(number):
        return f"{int(number):,}"
    if abs(number) < Fraction(1, 10):
        return f"{float(number):.5g}"
    return f"{float(number):,.5f}".rstrip("0") if abs(number) < 1000 else f"{float(number):,.2f}"


def formula(count: Count) -> str:
    """The sum that a count is: "300,774,272 multiply-accumulates + 4 × 6,678,112 … = 327,486,720"."""
    if not 0 < len(count.formula) <= MOST_TERMS:
        return shown(count.number)
    said = " + ".join(term_words(term) for term in count.formula)
    return said if len(count.formula) == 1 else f"{said} = {shown(count.number)}"


def term_words(term: Term) -> str:
    """One product of a formula: "4 × 6,678,112 BatchNorm elements", "320 bits of biases ÷ 32"."""
    said = f"{shown(Fraction(term.count))} {term.name}"
    if term.times == 1:
        return said
    if term.times.numerator == 1:
        return f"{said} ÷ {term.times.denominator:,}"
    return f"{term.times} × {said}"


def off(count: Count, printed: Printed) -> str:
    """The count, and how far it is above or below what was printed."""
    number = shown(count.number)
    if not printed.number:
        return number
    return f"{number} ({float((count.number - printed.number) / printed.number):+.2%})"
