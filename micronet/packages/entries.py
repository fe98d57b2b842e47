"""Several packages together: the challenge's rule on their number, and the document of all."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from micronet.packages.report import REFUSED, UNQUALIFIED, VERIFIED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from micronet.packages.report import Report

SCHEMA: Final = "micronet.verify/1"
MOST_ENTRIES: Final = 3  # a team and a task: "How to submit" of the challenge's page


@dataclass(frozen=True)
class Entries:
    """How many different packages there are on one track."""

    track: str
    packages: int

    @property
    def allowed(self) -> bool:
        """Whether a team may submit so many."""
        return self.packages <= MOST_ENTRIES


def entries(reports: Sequence[Report]) -> list[Entries]:
    """The packages by track; the same one given twice is one."""
    found: dict[str, set[str | None]] = defaultdict(set)
    for report in reports:
        if report.manifest is not None:
            found[report.manifest["statement"]["track"]].add(report.sha256)
    return [Entries(track, len(digests)) for track, digests in sorted(found.items())]


def document_of(reports: Sequence[Report], tracks: Sequence[Entries]) -> dict[str, Any]:
    """The ``micronet.verify/1`` document."""
    outcomes = [report.outcome for report in reports]
    return {
        "schema": SCHEMA,
        "packages": [_package(report) for report in reports],
        "entries": [
            {
                "track": each.track,
                "packages": each.packages,
                "most": MOST_ENTRIES,
                "outcome": "pass" if each.allowed else "fail",
            }
            for each in tracks
        ],
        "totals": {
            "packages": len(reports),
            **{outcome: outcomes.count(outcome) for outcome in (VERIFIED, UNQUALIFIED, REFUSED)},
        },
    }


def _package(report: Report) -> dict[str, Any]:
    stated = None if report.manifest is None else report.manifest["statement"]
    return {
        "file": report.file,
        "sha256": report.sha256,
        "name": None if stated is None else stated["name"],
        "track": None if stated is None else stated["track"],
        "rules": None if stated is None else stated["rules"],
        "outcome": report.outcome,
        "verdict": report.verdict,
        "because": list(report.because),
        "checks": [check.document() for check in report.checks],
        "recounted": None if report.document is None else _metrics(report.document),
    }


def _metrics(document: Any) -> dict[str, Any]:
    return {
        "bits": document["storage"]["bits"],
        "parameters": document["storage"]["parameters"],
        "operations": document["operations"]["total"],
        "score": document["score"]["total"],
        "quality": document["quality"],
    }
