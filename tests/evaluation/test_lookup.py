"""Which receipt tells the quality of what is scored, and which must not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from micronet.errors import MicronetError
from micronet.evaluation.lookup import quality_for
from micronet.evaluation.receipt_file import save
from tests.evaluation.samples import FILE, LOOK, STATE, TARGET, answered, dataset, document

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from micronet.evaluation.prediction import Prediction

SCORED = {**TARGET, "input": [1, 3, 224, 224]}
WITHOUT_FILE = {"sha256": None}
SUBSET = answered(917, 1000)
NOT_USED = "reports/receipts/by_hand.val.evaluation.json: not used"


def keep(
    root: Path,
    made: Sequence[Prediction] = SUBSET,
    *,
    name: str = "val",
    split: str | None = None,
    **changes: Any,
) -> Path:
    """A receipt among the reports of ``root``."""
    target = {**TARGET, **changes.pop("target", {})}
    data = dataset(made, name=name, split=split)
    return save(document(made, dataset=data, target=target, **changes), made, root)


def no_state() -> str | None:
    raise AssertionError("the tensors were read although a file tells the network")


def look(
    root: Path, scored: Any = SCORED, track: str | None = "imagenet"
) -> tuple[Any, tuple[str, ...]]:
    return quality_for(scored, track, root, state_sha256=no_state)


@pytest.fixture(scope="module")
def whole() -> dict[int, tuple[Prediction, ...]]:
    """As many images as ImageNet's validation set has, by how many are right."""
    return {correct: answered(correct, 50_000) for correct in (37_499, 37_500)}


def test_without_receipts_nothing_is_known(tmp_path: Path) -> None:
    assert look(tmp_path) == (None, ())


def test_a_subset_is_told_and_not_judged(tmp_path: Path) -> None:
    keep(tmp_path)
    quality, notes = look(tmp_path)
    assert quality == {
        "metric": "top1",
        "correct": 917,
        "of": 1000,
        "value": 0.917,
        "threshold": 0.75,
        "qualifies": None,
        "verdict": "cannot certify: track imagenet needs the ImageNet validation set, complete;"
        " this is 1,000 images of nobody knows what",
        "receipt": "reports/receipts/by_hand.val.evaluation.json",
    }
    assert notes == ()


@pytest.mark.parametrize(("correct", "qualifies"), [(37_499, False), (37_500, True)])
def test_the_whole_set_is_judged_and_beats_a_subset(
    tmp_path: Path, whole: dict[int, Any], correct: int, qualifies: bool
) -> None:
    keep(tmp_path, name="a", split="imagenet-val", made=whole[correct])
    keep(tmp_path, name="z")
    quality, _ = look(tmp_path)
    assert (quality["correct"], quality["qualifies"]) == (correct, qualifies)
    assert quality["receipt"] == "reports/receipts/by_hand.a.evaluation.json"


def test_without_a_track_the_whole_set_still_beats_a_part(tmp_path: Path) -> None:
    keep(tmp_path, name="cifar10-test", split="cifar10-test", made=answered(7, 9), track=None)
    keep(tmp_path, name="train", made=answered(8, 9), track=None)
    quality, _ = look(tmp_path, track=None)
    assert (quality["correct"], quality["qualifies"]) == (7, None)
    assert quality["receipt"] == "reports/receipts/by_hand.cifar10-test.evaluation.json"


OTHERS: dict[str, tuple[dict[str, Any], str | None]] = {
    "other weights": ({"sha256": "0" * 64}, "imagenet"),
    "another architecture in the same file": ({"architecture": "other"}, "imagenet"),
    "weights without a file": (WITHOUT_FILE, "imagenet"),
    "another track": ({}, "cifar100"),
    "no track": ({}, None),
}


@pytest.mark.parametrize(("change", "track"), OTHERS.values(), ids=OTHERS.keys())
def test_another_network_does_not_match(
    tmp_path: Path, change: dict[str, Any], track: str | None
) -> None:
    keep(tmp_path)
    assert look(tmp_path, {**SCORED, **change}, track) == (None, ())


def test_without_a_file_the_tensors_tell_and_are_read_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def state() -> str:
        asked.append("")
        return STATE

    scored = {**SCORED, **WITHOUT_FILE}
    assert quality_for(scored, "imagenet", tmp_path, state_sha256=state)[0] is None
    assert asked == []
    for name in ("one", "two"):
        keep(tmp_path, name=name, target=WITHOUT_FILE)
    quality, _ = quality_for(scored, "imagenet", tmp_path, state_sha256=state)
    assert quality is not None
    assert quality["correct"] == 917
    assert asked == [""]


@pytest.mark.parametrize("known", [None, "0" * 64])
def test_tensors_that_differ_or_are_unknown_do_not_match(tmp_path: Path, known: str | None) -> None:
    keep(tmp_path, target={**WITHOUT_FILE, "state_sha256": known})
    scored = {**SCORED, **WITHOUT_FILE}
    found = quality_for(scored, "imagenet", tmp_path, state_sha256=lambda: None)
    assert found == (None, ())


def test_accuracy_at_one_size_is_not_that_of_the_costs_at_another(tmp_path: Path) -> None:
    keep(tmp_path)
    assert look(tmp_path, {**SCORED, "input": [1, 3, 128, 128]}) == (
        None,
        (f"{NOT_USED}, measured with inputs of 224×224, scored with 128×128",),
    )


@pytest.mark.parametrize(
    "change", [{"crop": None, "resize": (224, 224)}, {"crop": None, "resize": None}]
)
def test_the_size_may_come_from_resizing_or_from_the_data(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    keep(tmp_path, preprocessing={**LOOK, **change})
    assert look(tmp_path)[0]["correct"] == 917


def test_the_cards_own_preprocessing_goes_before_others_then_the_last_name(tmp_path: Path) -> None:
    keep(tmp_path, name="b", made=answered(2, 9))
    keep(tmp_path, name="a", made=answered(1, 9))
    options = {**LOOK, "source": "card by_hand + options resize=232"}
    keep(tmp_path, name="c", made=answered(3, 9), preprocessing=options)
    assert look(tmp_path)[0]["correct"] == 2


def test_two_whole_sets_that_disagree_stop_the_judge(tmp_path: Path, whole: dict[int, Any]) -> None:
    for name, correct in (("a", 37_499), ("b", 37_500)):
        keep(tmp_path, name=name, split="imagenet-val", made=whole[correct])
    with pytest.raises(MicronetError) as raised:
        look(tmp_path)
    assert raised.value.message == (
        "by_hand.a.evaluation.json and by_hand.b.evaluation.json disagree on the same network:"
        " does not qualify: 37,499 of 50,000, threshold 37,500"
        " against qualifies: 37,500 of 50,000, threshold 37,500."
    )


def test_a_receipt_whose_predictions_are_gone_is_not_used_and_says_so(tmp_path: Path) -> None:
    keep(tmp_path)
    (tmp_path / "reports/predictions/by_hand.val.csv").unlink()
    quality, notes = look(tmp_path)
    assert quality is None
    assert notes == (f"{NOT_USED}, its predictions by_hand.val.csv are not here",)


def test_a_receipt_that_boasts_stops_the_judge(tmp_path: Path) -> None:
    path = keep(tmp_path, made=answered(2, 9))
    boast = {**json.loads(path.read_text("utf-8")), "quality": document(answered(9, 9))["quality"]}
    path.write_text(json.dumps(boast), encoding="utf-8")
    with pytest.raises(MicronetError, match="says top-1 9 of 9, its predictions give 2 of 9"):
        look(tmp_path)


def test_a_broken_receipt_stops_the_judge_and_other_reports_do_not(tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "receipts"
    folder.mkdir(parents=True)
    (folder / "x.micronet2019.json").write_text("{", encoding="utf-8")
    assert look(tmp_path) == (None, ())
    (folder / "x.evaluation.json").write_text("{", encoding="utf-8")
    with pytest.raises(MicronetError, match=r"x\.evaluation\.json: is not JSON"):
        look(tmp_path)


def test_the_file_of_these_tests_is_the_one_that_is_scored() -> None:
    assert SCORED["sha256"] == FILE
