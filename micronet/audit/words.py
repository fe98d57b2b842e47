"""Numbers and formulas as an audit writes them: every digit of a count, four of a ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fractions import Fraction

    from micronet.audit.evidence import Count, Term
    from micronet.scoring.printed import Printed

MOST_TERMS: Final = 4


def shown(number: Fraction) -> str:
    """A number with its thousands apart ("2,089,344.5"), or five decimals of a score."""
    if number == int(number):
        return f"{int(number):,}"
    return f"{float(number):,.5f}".rstrip("0") if abs(number) < 1000 else f"{float(number):,.2f}"


def formula(count: Count) -> str:
    """The sum that a count is: "300,774,272 multiply-accumulates + 4 × 6,678,112 … = 327,486,720"."""
    if not 0 < len(count.formula) <= MOST_TERMS:
        return shown(count.number)
    said = " + ".join(term_words(term) for term in count.formula)
    return said if len(count.formula) == 1 else f"{said} = {shown(count.number)}"


def term_words(term: Term) -> str:
    """One product of a formula: "4 × 6,678,112 BatchNorm elements"."""
    times = "" if term.times == 1 else f"{term.times} × "
    return f"{times}{term.count:,} {term.name}"


def off(count: Count, printed: Printed) -> str:
    """The count, and how far it is above or below what was printed."""
    number = shown(count.number)
    if not printed.number:
        return number
    return f"{number} ({float((count.number - printed.number) / printed.number):+.2%})"
