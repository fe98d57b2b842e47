"""Checks of what an entry says against what it says elsewhere, and against its accuracy."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING

from micronet.audit.checks.check import Audited, Check, Result, failed, skipped
from micronet.audit.verdict import FAILS, HOLDS
from micronet.audit.words import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from micronet.audit.entry import StatedClaim
    from micronet.scoring.printed import Printed

_MEASURED = ("top1", "top5", "perplexity")


class Totals(Check):
    """Published totals that do not follow from the published parts."""

    id = "totals"
    title = "Totals follow from their parts"
    remedy = "Add the parts again, and publish what they add up to."

    def look(self, audited: Audited) -> Result:
        """Add up the parts, and the columns of the entry's own table."""
        sums = list(_sums(audited))
        wrong = [
            f"{claim.quantity} {claim.stated}: {what} add up to {shown(total)}"
            for claim, what, total, slack in sums
            if not _meet(_between(claim.printed), (total - slack / 2, total + slack))
        ]
        if wrong:
            return failed(wrong)
        if not sums:
            return skipped("no parts are given")
        return Result("pass", f"{len(sums)} totals added up")


def _sums(audited: Audited) -> Iterator[tuple[StatedClaim, str, Fraction, Fraction]]:
    """(claim, of what it is the total, the total, what rounding may have hidden in the parts)."""
    entry = audited.case.entry
    for claim in entry.claims:
        parts = [part.printed for part in entry.parts if part.of == claim.quantity]
        if parts:
            total = sum((part.number for part in parts), Fraction(0))
            yield claim, "its parts", total, sum(map(_digit, parts), Fraction(0))
        column = [row.macs for row in entry.layers if row.macs is not None]
        if claim.quantity == "macs" and column and len(column) == len(entry.layers):
            words = f"the {len(column)} layers of its table"
            yield claim, words, sum(map(Fraction, column), Fraction(0)), Fraction(0)


def _between(printed: Printed) -> tuple[Fraction, Fraction]:
    """What may have been printed so: half a digit less, by rounding, to a digit more, cut off."""
    digit = _digit(printed)
    return printed.number - digit / 2, printed.number + digit


def _digit(printed: Printed) -> Fraction:
    """One unit of the last digit; 0 for a whole number, which is exact."""
    return printed.last_digit if printed.last_digit != 1 else Fraction(0)


def _meet(one: tuple[Fraction, Fraction], other: tuple[Fraction, Fraction]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


class Agreement(Check):
    """README and write-up that disagree."""

    id = "agreement"
    title = "The same quantity is stated alike everywhere"
    remedy = "Publish one number, and say how it was counted."

    def look(self, audited: Audited) -> Result:
        """Compare every two statements of one quantity in one dialect."""
        counted = [c for c in audited.case.entry.claims if c.quantity not in _MEASURED]
        pairs = [
            (a, b)
            for a, b in combinations(counted, 2)
            if (a.quantity, a.dialect) == (b.quantity, b.dialect)
        ]
        apart = [
            f"{a.quantity}: {a.stated} ({a.where}), but {b.stated} ({b.where})"
            for a, b in pairs
            if not (_same(a, b) or _same(b, a))
        ]
        if apart:
            return failed(apart)
        if not pairs:
            return skipped("nothing is stated twice")
        return Result("pass", f"{len(pairs)} pairs of statements agree")


def _same(coarse: StatedClaim, fine: StatedClaim) -> bool:
    return coarse.printed.reproduced_by(fine.printed.number)


class Quality(Check):
    """Accuracy by the receipt of an evaluation."""

    id = "quality"
    title = "The claimed accuracy was measured"
    remedy = "Evaluate it: micronet evaluate TARGET --data DIR"

    def look(self, audited: Audited) -> Result:
        """Repeat the verdicts on accuracy."""
        judged = [each for each in audited.judged if each.claim.quantity in _MEASURED]
        wrong = [each for each in judged if each.verdict == FAILS]
        if wrong:
            return failed(f"{j.claim.quantity} {j.claim.stated}: {j.explanation}" for j in wrong)
        held = [each for each in judged if each.verdict == HOLDS]
        if held:
            return Result("pass", held[0].explanation)
        return skipped(judged[0].explanation if judged else "no accuracy is claimed")
