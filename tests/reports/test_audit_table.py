"""The audit as tables."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from micronet.reports.audit_table import claims_table, findings_table, waterfalls
from micronet.reports.shown import shown
from micronet.reports.tables import tables
from tests.reports.by_hand import audit, document, material

if TYPE_CHECKING:
    from pathlib import Path


def test_each_claim_has_its_verdict() -> None:
    table = claims_table(audit())
    places = {column.key: place for place, column in enumerate(table.columns)}
    verdicts = [row.cells[places["verdict"]] for row in table.rows]
    assert [cell.value for cell in verdicts] == ["holds", "fails", "unjudged"]
    assert [cell.tone for cell in verdicts] == ["good", "bad", "quiet"]
    found = [
        shown(row.cells[places["found"]], table.columns[places["found"]]) for row in table.rows
    ]
    assert found == ["4,231,976", "0.9776", "–"]
    assert table.rows[1].cells[places["difference"]].value == Fraction(1, 8)


def test_the_verdicts_are_counted() -> None:
    [note] = claims_table(audit()).notes
    assert note.text == (
        "3 claims of 1 entries: 1 hold, 0 hold in another dialect, 1 fail, 1 cannot be judged."
    )


def test_a_failed_check_names_its_layers_and_remedy_and_a_passed_one_is_no_finding() -> None:
    [row] = findings_table(audit()).rows
    assert [cell.value for cell in row.cells[1:]] == [
        "Bitmasks are paid for",
        "it is missing",
        "conv1, conv2",
        "Add them.",
    ]


def test_a_waterfall_that_a_receipt_has_is_not_shown_twice() -> None:
    assert [table.name for table in waterfalls(audit())] == ["waterfall-somebody"]
    assert list(waterfalls(audit(), besides={"somebody"})) == []


def test_the_audits_tables_come_last(tmp_path: Path) -> None:
    names = [table.name for table in tables(material(tmp_path, document(), audit=audit()))]
    assert names == [
        "submission-imagenet",
        "leaderboard-imagenet",
        "stages-by_hand",
        "layers-by_hand",
        "audit",
        "findings",
        "waterfall-somebody",
    ]
