"""The submission table: every number by its dialect, and none that pretends to be another's."""

from __future__ import annotations

import shutil
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from micronet.audit.evidence import Count, Evidence
from micronet.audit.evidence import document as evidence_document
from micronet.errors import MicronetError
from micronet.reports.submission import submission_table
from micronet.scoring.baselines import FAILS, baselines
from micronet.scoring.rulebook import rule_books
from micronet.scoring.tracks import track
from tests.reports.by_hand import (
    BITS,
    ROOT,
    committed,
    document,
    folder,
    material,
    measured,
    operations,
    score,
    untrained,
)

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from micronet.reports.table import Cell, Table


def made(root: Path, *documents: dict[str, Any], **named: Any) -> Table:
    return submission_table(material(root, *documents, **named), track("imagenet"))


def row(table: Table, name: str) -> dict[str, Cell]:
    keys = [column.key for column in table.columns]
    [found] = [each for each in table.rows if str(each.cells[0].value).startswith(name)]
    return dict(zip(keys, found.cells, strict=True))


def notes_of(table: Table, cell: Cell) -> list[str]:
    return [note.text for note in table.notes if note.mark in cell.marks]


def test_what_was_scored_here_stands_first_and_exactly(tmp_path: Path) -> None:
    table = made(tmp_path, document())
    found = row(table, "by_hand")
    assert table.rows[0].ours
    assert found["score_total"].value == score(1000)
    assert found["parameters_stored"].value == Fraction(BITS, 32)
    assert found["operations_recounted"].value == operations(1000)
    assert {found[key].detail for key in ("score_total", "parameters_stored")} == {"micronet2019"}


def test_the_best_score_comes_first(tmp_path: Path) -> None:
    table = made(tmp_path, document("slow", 2000), document("quick", 10), document("also", 2000))
    ours = [each.cells[0].value for each in table.rows if each.ours]
    assert ours == ["quick", "also", "slow"]  # of equal scores by name


def test_every_baseline_of_the_track_is_there(tmp_path: Path) -> None:
    titles = [str(each.cells[0].value) for each in made(tmp_path, document()).rows[1:]]
    others = ("wideresnet_28_10", "lstm_wikitext103")
    assert titles == [each.title for each in baselines() if each.name not in others]


def test_nasnet_is_published_and_recounted(tmp_path: Path) -> None:
    """No receipt of it here: dense at 32 bits, two operations a multiply-accumulate."""
    found = row(made(tmp_path, document()), "NASNet-A")
    assert found["macs_published"].stated == "564M"
    assert found["macs_recounted"].value == 563_638_816
    assert found["parameters_published"].stated == "5.3M"
    assert found["parameters_recounted"].value == 5_289_978
    assert found["macs_published"].detail == found["macs_recounted"].detail == "macs"
    assert found["operations_recounted"].value == 1_127_277_632
    total = Fraction(5_289_978, 6_900_000) + Fraction(1_127_277_632, 1_170_000_000)
    assert found["score_total"].value == total
    assert found["score_total"].detail == "2 × macs"
    published = Fraction(5_300_000, 6_900_000) + Fraction(2 * 564_000_000, 1_170_000_000)
    assert found["score_published"].value == published


def test_the_yardstick_scores_two_as_published(tmp_path: Path) -> None:
    found = row(made(tmp_path, document()), "MobileNetV2 1.4")
    assert found["score_published"].value == 2
    assert found["operations_published"].stated == "1170M"


def test_a_published_number_without_a_recount_is_marked_with_the_reason(tmp_path: Path) -> None:
    table = made(tmp_path, document())
    marked = {
        (str(each.cells[0].value), cell.stated)
        for each in table.rows
        for cell in each.cells
        if cell.tone == "bad"
    }
    wrong = {
        (each.title, figure.stated)
        for each in baselines()
        for figure in each.published
        if figure.reproduces == FAILS
    }
    assert marked == wrong
    assert len(wrong) == 7
    darts = row(table, "DARTS, conference")["macs_published"]
    assert darts.detail == "not reproduced"
    [why] = notes_of(table, darts)
    assert why.startswith("574M multiply-accumulates are not reproduced: 7.7 % below.")


def test_a_baselines_own_receipt_gives_its_score_by_the_rules(tmp_path: Path) -> None:
    table = made(tmp_path, document(), document("nasnet_a_mobile", 5000))
    found = row(table, "NASNet-A")
    assert found["score_total"].value == score(5000)
    assert found["score_total"].detail == "micronet2019"
    assert found["macs_recounted"].value == 563_638_816
    assert sum(each.ours for each in table.rows) == 1


def test_a_receipt_by_other_rules_fills_the_recounts_of_its_target(tmp_path: Path) -> None:
    macs = document(
        rules={"name": "macs", "sha256": None, "unit": "multiply-accumulates"}, score=None
    )
    found = row(made(tmp_path, document(), macs), "by_hand")
    assert found["macs_recounted"].value == operations(1000)
    assert found["macs_recounted"].detail == "macs"


def evidence_of(name: str, *counts: Count, edition: str = "today's") -> dict[str, Any]:
    """Evidence by today's rule books, or by another edition of them."""
    digests = {each: book.sha256 for each, book in rule_books().items()}
    rules = digests if edition == "today's" else dict.fromkeys(digests, "0" * 64)
    target = document(name)["target"] | {"state_sha256": None, "sparse": False, "card": None}
    return evidence_document(
        Evidence(target, "imagenet", rules, counts=counts, deviations=(), layers=())
    )


@pytest.mark.parametrize(("edition", "macs"), [("today's", 77), ("another", None)])
def test_the_evidence_of_an_audit_fills_them_too(
    tmp_path: Path, edition: str, macs: int | None
) -> None:
    evidence = evidence_of("by_hand", Count("macs", "macs", Fraction(77)), edition=edition)
    table = made(tmp_path, document(), **{"by_hand.evidence": evidence})
    assert row(table, "by_hand")["macs_recounted"].value == macs


def test_the_evidence_about_a_baseline_gives_its_score_by_the_rules(tmp_path: Path) -> None:
    evidence = evidence_of(
        "darts_first_release",
        Count("micronet2019", "parameters", Fraction(6_900_000)),
        Count("micronet2019", "operations", Fraction(117_000_000)),
    )
    table = made(tmp_path, document(), **{"darts_first_release.evidence": evidence})
    found = row(table, "DARTS, first-release")["score_total"]
    assert (found.value, found.detail) == (Fraction(11, 10), "micronet2019")


def test_untrained_weights_are_called_so(tmp_path: Path) -> None:
    table = made(tmp_path, untrained(document()))
    found = row(table, "by_hand")
    assert notes_of(table, found["network"])[0].startswith("Untrained")
    assert found["top1_measured_percent"].value is None


def test_a_receipt_by_an_earlier_edition_of_the_rules_is_called_so(tmp_path: Path) -> None:
    rules = {"name": "micronet2019", "sha256": "0" * 64, "unit": "operations"}
    table = made(tmp_path, document(rules=rules))
    assert "another edition" in notes_of(table, row(table, "by_hand")["network"])[0]


@pytest.mark.parametrize(("correct", "tone"), [(37_500, "good"), (37_499, "bad")])
def test_an_accuracy_says_of_how_many_images(tmp_path: Path, correct: int, tone: str) -> None:
    table = made(tmp_path, measured(document(), correct, 50_000, qualifies=tone == "good"))
    cell = row(table, "by_hand")["top1_measured_percent"]
    assert (cell.value, cell.tone) == (Fraction(100 * correct, 50_000), tone)
    assert cell.detail == f"{correct:,} of 50,000"


def test_the_accuracy_is_that_of_the_evaluation_receipt(tmp_path: Path) -> None:
    """EfficientNet-Lite0: 893 of 1,000 photographs, which certify nothing."""
    evaluated = committed("efficientnet_lite0.imagenet-cc-val.evaluation")
    target = evaluated["target"] | {"input": [1, 3, 224, 224]}
    folder(tmp_path, **{"efficientnet_lite0.imagenet-cc-val.evaluation": evaluated})
    shutil.copytree(ROOT / "reports" / "predictions", tmp_path / "reports" / "predictions")
    table = made(tmp_path, document(target=target))
    cell = row(table, "efficientnet_lite0")["top1_measured_percent"]
    assert (cell.value, cell.detail, cell.tone) == (Fraction(893, 10), "893 of 1,000", "doubt")
    assert notes_of(table, cell)[0].startswith("Cannot certify")


def test_published_figures_come_from_the_card(tmp_path: Path) -> None:
    table = made(tmp_path, untrained(document("mnv1_582M")))
    found = row(table, "mnv1_582M")
    assert found["top1_published_percent"].stated == "74.4"
    assert (found["macs_published"].stated, found["macs_published"].value) == ("582M", 582_000_000)


def test_every_dialect_that_occurs_is_explained(tmp_path: Path) -> None:
    table = made(tmp_path, document())
    general = " ".join(note.text for note in table.notes if not note.mark)
    used = {cell.detail for each in table.rows for cell in each.cells if cell.detail}
    assert used == {"micronet2019", "macs", "2 × macs", "as published", "not reproduced"}
    assert all(f"{dialect}:" in general for dialect in ("micronet2019", "macs", "2 × macs"))


def test_nothing_scored_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(MicronetError, match="no network was scored here by micronet2019"):
        made(tmp_path)


def test_who_scored_only_a_baseline_is_told_that_it_is_one(tmp_path: Path) -> None:
    with pytest.raises(MicronetError, match="only mobilenet_v1, which every table has"):
        made(tmp_path, document("mobilenet_v1"))


def test_who_scored_nothing_on_a_track_is_told_so(tmp_path: Path) -> None:
    said = "only mobilenet_v1, which every table has; tiny, on no track"
    without = document("tiny", track=None, score=None)
    with pytest.raises(MicronetError, match=said):
        made(tmp_path, document("mobilenet_v1"), without)
    assert len(made(tmp_path, document(), without).rows) == len(made(tmp_path, document()).rows)
