"""Every number that is known of a target, by dialect: from its receipts and its audit's evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from micronet.audit.evidence import evidence_path, read
from micronet.scoring.rulebook import rule_books

if TYPE_CHECKING:
    from pathlib import Path

    from micronet.audit.evidence import Evidence
    from micronet.reports.score_receipt import ScoreReceipt

Identity = tuple[str, str | None]
"""A target's name and the sha256 of its file, if it has one."""
Counts = Mapping[tuple[str, str], Fraction]
"""Numbers by dialect and quantity."""
_QUANTITIES: Final = {"multiply-accumulates": "macs", "operations": "operations"}


def identity(target: Mapping[str, Any]) -> Identity:
    """What tells the target of a document from every other."""
    return str(target["name"]), target["sha256"]


def counted_targets(
    root: Path, receipts: Iterable[ScoreReceipt], others: Iterable[str]
) -> Mapping[Identity, Counts]:
    """The numbers of every receipt's target, and of the targets named ``others`` if there are any.

    Evidence that was counted by other editions of the rule books is left out.
    """
    receipts = tuple(receipts)
    found: dict[Identity, dict[tuple[str, str], Fraction]] = {}
    for name in sorted({*others, *(receipt.name for receipt in receipts)}):
        path = evidence_path(root, name)
        evidence = read(path) if path.is_file() else None
        if evidence is not None and _current(evidence):
            numbers = {(each.dialect, each.quantity): each.number for each in evidence.counts}
            found[identity(evidence.target)] = numbers
    for receipt in receipts:
        counts = found.setdefault(identity(receipt.document["target"]), {})
        quantity = _QUANTITIES.get(receipt.document["rules"].get("unit"))
        counts[receipt.book, "parameters"] = receipt.parameters
        if quantity is not None:
            counts[receipt.book, quantity] = receipt.operations
    return found


def _current(evidence: Evidence) -> bool:
    return all(evidence.rules.get(name) == book.sha256 for name, book in rule_books().items())
