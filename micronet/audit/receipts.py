"""Evidence and accuracy from the receipts under a folder: what an audit needs, without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from micronet.audit.audit import audit_document
from micronet.audit.evidence import evidence_path, read
from micronet.audit.shipped import shipped_claims
from micronet.evaluation.lookup import quality_of, receipt_for
from micronet.scoring.rulebook import rule_books
from micronet.scoring.tracks import track_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from micronet.audit.audit import Known
    from micronet.audit.entry import Entry
    from micronet.audit.evidence import Evidence


def shipped_audit(root: Path) -> dict[str, Any]:
    """The ``micronet.audit/1`` document of every shipped claim, by the receipts in ``root`` alone."""
    return audit_document(
        shipped_claims(),
        lambda entry: from_receipt(entry, root),
        lambda entry, evidence: quality(entry, evidence, root),
    )


def recountable(entry: Entry) -> bool:
    """Whether an entry names a network."""
    return any(each is not None for each in (entry.card, entry.architecture, entry.model))


def _stands_still(entry: Entry) -> bool:
    """Whether what an entry names cannot have changed: a card's network, or one of a shipped claim.

    Anybody may call another network as a shipped claim calls its own.
    """
    if entry.weights is not None:
        return False
    return entry.card is not None or any(
        entry == each for file in shipped_claims() for each in file.entries
    )


def from_receipt(entry: Entry, root: Path) -> Known:
    """The evidence about ``entry`` in ``root``, if it was made by the rules of today."""
    if not recountable(entry):
        return None, entry.why or "there is nothing to recount"
    if not _stands_still(entry):
        return None, "somebody else's network: no receipt can tell whether it changed"
    path = evidence_path(root, entry.card or entry.name)
    if not path.is_file():
        return None, "not recounted yet: micronet audit --save"
    evidence = read(path)
    changed = [
        name for name, book in rule_books().items() if evidence.rules.get(name) != book.sha256
    ]
    if changed:
        return None, f"counted by older rules ({', '.join(changed)}): micronet audit --save"
    if entry.card != evidence.target["card"]:
        return None, f"{path.name} is about another network: micronet audit --save"
    if entry.input not in (None, tuple(evidence.target["input"])):
        return None, "counted with an input of another shape: micronet audit --recount"
    if entry.track is not None and track_or_none(entry.track) != track_or_none(evidence.track):
        return None, "counted for another track: micronet audit --recount"
    return evidence, ""


def quality(entry: Entry, evidence: Evidence, root: Path) -> Mapping[str, Any] | None:
    """The accuracy of what the evidence is about, by an evaluation receipt in ``root``.

    It is the ``quality`` of a score, and whether it is that of a "whole" data set.
    """
    if evidence.target["weights"] == "untrained" or not any(
        claim.quantity in ("top1", "top5", "perplexity") for claim in entry.claims
    ):
        return None
    state = evidence.target["state_sha256"]
    found, _ = receipt_for(evidence.target, evidence.track, root, state_sha256=lambda: state)
    if found is None:
        return None
    return {**quality_of(found), "whole": found.document["data"]["complete"]}
