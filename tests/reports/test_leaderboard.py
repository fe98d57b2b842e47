"""Our rows in the official ranking: at their places, marked, and never qualified by cost alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from micronet.reports.leaderboard import leaderboard_table
from micronet.scoring.leaderboard import leaderboard
from micronet.scoring.tracks import track
from tests.reports.by_hand import document, material, measured, score, untrained

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from micronet.reports.table import Table

POSITIONS = 7_000_000  # a score of 0.897, between DNW's 0.8460 and Sisyphus' 1.0315


def made(root: Path, *documents: dict[str, Any]) -> Table:
    return leaderboard_table(material(root, *documents), track("imagenet"))


def ours(table: Table) -> list[str]:
    return [str(row.cells[3].value) for row in table.rows if row.ours]


def test_the_row_stands_between_the_scores_around_it(tmp_path: Path) -> None:
    table = made(tmp_path, document(positions=POSITIONS))
    entries = [row.cells[1].value for row in table.rows]
    place = entries.index("by_hand")
    assert entries[place - 1] == "Discovering Neural Wirings Team"
    assert entries[place + 1] == "Sisyphus"
    assert table.rows[place].cells[2].value == score(POSITIONS)
    assert ours(table)[0].startswith("would stand at 19; ")


def test_the_official_places_are_not_moved(tmp_path: Path) -> None:
    table = made(tmp_path, document(positions=POSITIONS), document("other", 1))
    official = [row for row in table.rows if not row.ours]
    assert [row.cells[0].value for row in official] == list(range(1, 21))
    assert [row.cells[1].value for row in official] == [e.entry for e in leaderboard("imagenet")]
    assert [row.cells[0].value for row in table.rows if row.ours] == [None, None]


@pytest.mark.parametrize(
    ("network", "standing"),
    [
        (untrained(document()), "would stand at 1; untrained, does not qualify"),
        (document(), "would stand at 1; accuracy not measured, does not qualify"),
        (measured(document(), 37_500, 50_000, qualifies=True), "would stand at 1; qualifies"),
        (
            measured(document(), 37_499, 50_000, qualifies=False),
            "would stand at 1; does not qualify",
        ),
    ],
    ids=["untrained", "unmeasured", "qualifies", "below"],
)
def test_only_a_measured_accuracy_qualifies(
    tmp_path: Path, network: dict[str, Any], standing: str
) -> None:
    assert ours(made(tmp_path, network)) == [standing]


def test_the_last_place_is_behind_all(tmp_path: Path) -> None:
    table = made(tmp_path, document(positions=100_000_000))
    assert table.rows[-1].ours
    assert ours(table)[0].startswith("would stand at 21; ")


def test_a_baselines_receipt_is_no_entry(tmp_path: Path) -> None:
    assert len(ours(made(tmp_path, document(), document("mobilenet_v1")))) == 1
