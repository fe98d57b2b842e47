"""The audit as tables: every claim with its verdict, every check that failed, every waterfall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from micronet.reports import file_name
from micronet.reports.shown import number as printed_number
from micronet.reports.table import Cell, Column, Note, Row, Table
from micronet.reports.waterfall import number, stated_waterfall

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from micronet.reports.table import Tone

HOLDS: Final = "holds"
ELSEWHERE: Final = "holds in another dialect"
FAILS: Final = "fails"
UNJUDGED: Final = "unjudged"
VERDICTS: Final = {
    HOLDS: "hold",
    ELSEWHERE: "hold in another dialect",
    FAILS: "fail",
    UNJUDGED: "cannot be judged",
}
TONES: Final[Mapping[str, Tone]] = {
    HOLDS: "good",
    ELSEWHERE: "doubt",
    FAILS: "bad",
    UNJUDGED: "quiet",
}

CLAIM_COLUMNS: Final = (
    Column("entry", "Entry", text=True),
    Column("quantity", "Quantity", text=True),
    Column("stated", "Stated"),
    Column("verdict", "Verdict", text=True),
    Column("dialect", "Counted as", text=True, gives_way=1),
    Column("found", "Found", gives_way=2),
    Column("difference", "Difference", signed=True, gives_way=3),
    Column("explanation", "Explanation", text=True, prose=True, gives_way=5),
    Column("source", "Source", text=True, prose=True, gives_way=6),
)
FINDING_COLUMNS: Final = (
    Column("entry", "Entry", text=True),
    Column("check", "Check", text=True, prose=True),
    Column("because", "Because", text=True, prose=True),
    Column("layers", "Layers", text=True, prose=True, gives_way=2),
    Column("remedy", "Remedy", text=True, prose=True, gives_way=1),
)


def claims_table(audit: Mapping[str, Any]) -> Table:
    """Every claim of every entry, in the audit's order."""
    rows = [_claim(entry, claim) for entry in audit["entries"] for claim in entry["claims"]]
    totals = audit["totals"]
    counts = ", ".join(f"{totals[verdict]} {said}" for verdict, said in VERDICTS.items())
    said = f"{totals['claims']} claims of {totals['entries']} entries: {counts}."
    return Table(
        "audit", "Audit of the published claims", CLAIM_COLUMNS, tuple(rows), notes=(Note(said),)
    )


def _claim(entry: Mapping[str, Any], claim: Mapping[str, Any]) -> Row:
    verdict = claim["verdict"]
    return Row(
        (
            Cell(entry["name"]),
            Cell(claim["quantity"]),
            Cell(claim["stated"]),
            Cell(verdict, tone=TONES[verdict]),
            Cell(claim["dialect"] or ""),
            _found(claim, "found"),
            _found(claim, "difference"),
            Cell(claim["explanation"] or ""),
            Cell(claim["where"] or ""),
        )
    )


def _found(claim: Mapping[str, Any], key: str) -> Cell:
    """A score has the decimals of the leaderboard, everything else is a count."""
    value = number(claim[key])
    if value is None or claim["quantity"] != "score":
        return Cell(value)
    return Cell(value, printed_number(value, 4, signed=key == "difference"))


def findings_table(audit: Mapping[str, Any]) -> Table:
    """Every check that failed, with its layers and what to do about it."""
    rows = [
        Row(
            (
                Cell(entry["name"]),
                Cell(check["title"]),
                Cell(check["because"]),
                Cell(", ".join(check["layers"])),
                Cell(check["remedy"] or ""),
            )
        )
        for entry in audit["entries"]
        for check in entry["checks"]
        if check["outcome"] == "fail"
    ]
    return Table("findings", "Findings of the audit", FINDING_COLUMNS, tuple(rows))


def waterfalls(audit: Mapping[str, Any], besides: Collection[str] = ()) -> Iterator[Table]:
    """One table for each entry that has a waterfall, if its target is not among ``besides``."""
    for entry in audit["entries"]:
        target = (entry["target"] or {}).get("name")
        if entry["waterfall"] and target not in besides:
            yield stated_waterfall(file_name(entry["name"]), entry["title"], entry["waterfall"])
