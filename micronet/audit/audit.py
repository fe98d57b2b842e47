"""Claims and evidence in, one ``micronet.audit/1`` document out. No torch here."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from micronet.audit.checks.check import Audited
from micronet.audit.checks.every import EVERY, OF_WORDS
from micronet.audit.evidence import NOTHING
from micronet.audit.judge import Case, case_of, judge
from micronet.audit.table import differences
from micronet.audit.verdict import ELSEWHERE, FAILS, HOLDS, UNJUDGED, Judged, overall
from micronet.scoring.printed import exact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from micronet.audit.checks.check import Check
    from micronet.audit.entry import ClaimsFile, Entry
    from micronet.audit.evidence import Evidence

    Known = tuple[Evidence | None, str]
    """The evidence about an entry, or why there is none."""
    EvidenceOf = Callable[[Entry], Known]
    QualityOf = Callable[[Entry, Evidence], Mapping[str, Any] | None]

SCHEMA: Final = "micronet.audit/1"


def audit_document(
    files: Iterable[ClaimsFile], evidence_of: EvidenceOf, quality_of: QualityOf
) -> dict[str, Any]:
    """Judge every claim of ``files`` and run every check, entry by entry."""
    entries = [
        _entry(entry, file.name, *evidence_of(entry), quality_of)
        for file in files
        for entry in file.entries
    ]
    return {"schema": SCHEMA, "entries": entries, "totals": _totals(entries)}


def _entry(
    entry: Entry, file: str, evidence: Evidence | None, why: str, quality_of: QualityOf
) -> dict[str, Any]:
    if evidence is None:  # what an entry says can still contradict itself
        judged = tuple(Judged(claim, UNJUDGED, why) for claim in entry.claims)
        audited = Audited(Case(entry, NOTHING, (), ()), judged, ())
        checks = [_check(check, audited) for check in OF_WORDS]
    else:
        case = case_of(entry, evidence)
        quality = quality_of(entry, evidence)
        judged = tuple(judge(claim, case, quality) for claim in entry.claims)
        audited = Audited(case, judged, tuple(differences(entry, evidence)))
        checks = [_check(check, audited) for check in EVERY]
    findings = any(row["outcome"] == "fail" for row in checks)
    return {
        "name": entry.name,
        "title": entry.title,
        "by": entry.by,
        "where": entry.where,
        "file": file,
        "target": None if evidence is None else dict(evidence.target),
        "verdict": overall((each.verdict for each in judged), findings=findings),
        "claims": [_claim(each) for each in judged],
        "checks": checks,
        "waterfall": _waterfall(entry, evidence),
        "notes": [] if evidence is None else list(evidence.notes),
    }


def _waterfall(entry: Entry, evidence: Evidence | None) -> list[dict[str, Any]] | None:
    """From the claimed score to the true one, where the entry claims one."""
    if evidence is None or evidence.waterfall is None:
        return None
    if not any(claim.quantity == "score" for claim in entry.claims):
        return None
    return [dict(row) for row in evidence.waterfall]


def _claim(judged: Judged) -> dict[str, Any]:
    claim, found = judged.claim, judged.found
    return {
        "quantity": claim.quantity,
        "stated": claim.stated,
        "unit": claim.unit,
        "where": claim.where,
        "verdict": judged.verdict,
        "dialect": judged.dialect,
        "found": None if found is None else exact(found),
        "difference": None if found is None else exact(claim.printed.number - found),
        "explanation": judged.explanation,
        "steps": [{"name": s.name, "change": exact(s.change)} for s in judged.steps],
    }


def _check(check: Check, audited: Audited) -> dict[str, Any]:
    result = check.look(audited)
    return {
        "id": check.id,
        "title": check.title,
        **asdict(result),
        "layers": list(result.layers),
        "remedy": check.remedy if result.outcome == "fail" else None,
    }


def _totals(entries: list[dict[str, Any]]) -> dict[str, int]:
    verdicts = Counter(claim["verdict"] for entry in entries for claim in entry["claims"])
    findings = sum(row["outcome"] == "fail" for entry in entries for row in entry["checks"])
    counted = {verdict: verdicts[verdict] for verdict in (HOLDS, ELSEWHERE, FAILS, UNJUDGED)}
    return {
        "entries": len(entries),
        "claims": sum(counted.values()),
        **counted,
        "findings": findings,
    }
