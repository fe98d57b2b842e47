"""Numbers as publications print them: "564M", "74.0", "76.1±0.5", "5/32", and what exact values they fit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from micronet.errors import MicronetError

_PRINTED = re.compile(
    r"(?P<whole>[0-9]{1,3}(,[0-9]{3}){1,9}|[0-9]{1,30})(\.(?P<decimals>[0-9]{1,30}))?(?P<scale>[kKMBGT]?)"
)
_SPREAD = re.compile(r"[0-9]{0,30}\.[0-9]{1,30}|[0-9]{1,30}")
_RATIO = re.compile(r"[0-9]{1,30}/[1-9][0-9]{0,29}")
_SCALES = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "G": 10**9, "T": 10**12}


@dataclass(frozen=True)
class Printed:
    """A printed number and the value of one unit in its last digit (0 for an exact ratio).

    ``spread`` is what stood behind "±", if anything did: it tells of repeated runs, and takes no
    part in what fits the number.
    """

    number: Fraction
    last_digit: Fraction
    spread: Fraction | None = None

    def rounded_from(self, exact: Fraction | int) -> bool:
        """Whether ``exact``, rounded to the printed digits, prints so (a tie may go either way)."""
        return abs(exact - self.number) <= self.last_digit / 2

    def truncated_from(self, exact: Fraction | int) -> bool:
        """Whether ``exact`` (0 or more), cut off after the printed digits, prints so."""
        return exact == self.number or 0 <= exact - self.number < self.last_digit

    def reproduced_by(self, exact: Fraction | int) -> bool:
        """Whether ``exact`` is what was printed, be it rounded or truncated."""
        return self.rounded_from(exact) or self.truncated_from(exact)


def printed(text: str) -> Printed:
    """Read a printed number: M is 10^6, B and G are 10^9, T is 10^12.

    Every digit written counts as significant.
    "76.1±0.5" is 76.1, with 0.5 kept apart.

    >>> printed("564M").reproduced_by(563_638_816), printed("574M").reproduced_by(529_911_552)
    (True, False)
    """
    if _RATIO.fullmatch(text):
        return Printed(Fraction(text), Fraction(0))
    mean, sign, spread = (part.strip(" ") for part in text.partition("±"))
    match = _PRINTED.fullmatch(mean if sign else text)
    if match is None or (sign and not _SPREAD.fullmatch(spread)):
        raise MicronetError(
            f"'{text}' is not a printed number such as 564M, 4.09G, 2,558,732, 74.0, 76.1±0.5 or 5/32."
        )
    decimals = match["decimals"] or ""
    last_digit = Fraction(_SCALES[match["scale"]], 10 ** len(decimals))
    whole = match["whole"].replace(",", "")
    number = int(whole + decimals) * last_digit
    return Printed(number, last_digit, Fraction(f"0{spread}") if sign else None)


def exact(number: Fraction | int) -> int | float:
    """A number for JSON: an int where it is whole, else the nearest float (exact if dyadic)."""
    return int(number) if number == int(number) else float(number)
