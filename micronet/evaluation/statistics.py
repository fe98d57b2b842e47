"""How much a sample says: Wilson's interval for a share, McNemar's test for two networks."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

Z_95: Final = Fraction("1.959963984540054")  # the normal distribution's 97.5 % quantile


def wilson(correct: int, of: int) -> tuple[float, float]:
    """The 95 % interval of the share of right answers, after ``correct`` of ``of``, as shares.

    With x of n and the normal quantile z: (x + z²/2 ± z·√(x(n - x)/n + z²/4)) / (n + z²).
    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (1927), 209-212. ValueError unless
    0 ≤ correct ≤ of and of > 0.
    """
    if not 0 <= correct <= of or of == 0:
        raise ValueError(f"{correct} of {of} is no share")
    square = Z_95**2
    middle = correct + square / 2
    # The root alone is rounded; everything else is exact until the end.
    spread = Fraction(correct * (of - correct), of) + square / 4
    half = Z_95 * Fraction(math.sqrt(spread))
    low = 0.0 if correct == 0 else float((middle - half) / (of + square))
    high = 1.0 if correct == of else float((middle + half) / (of + square))
    return low, high


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p-value of McNemar's exact test.

    Of the images that exactly one of two networks gets right, ``only_first`` and ``only_second``
    are whose: if both were equally good each would be a toss of a fair coin, so p is twice the
    smaller tail of the binomial distribution, at most 1. Exact until it is made a float.
    Source: Q. McNemar, "Note on the sampling error of the difference between correlated
    proportions or percentages", Psychometrika 12 (1947), 153-157. ValueError for negative counts.
    """
    if min(only_first, only_second) < 0:
        raise ValueError(f"{only_first} and {only_second} are no counts")
    tosses = only_first + only_second
    ways = tail = 1  # of getting no head
    for heads in range(min(only_first, only_second)):
        ways = ways * (tosses - heads) // (heads + 1)
        tail += ways
    return float(min(Fraction(1), Fraction(2 * tail, 2**tosses)))
