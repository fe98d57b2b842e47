"""Receipts are believed only if they agree with themselves."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from micronet.errors import MicronetError
from micronet.reports.score_receipt import read_receipts
from tests.reports.by_hand import BITS, document, folder, operations, score

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def refusal(root: Path) -> str:
    with pytest.raises(MicronetError) as caught:
        read_receipts(root)
    return str(caught.value)


def test_its_numbers_are_exact(tmp_path: Path) -> None:
    [receipt] = read_receipts(folder(tmp_path, document()))
    track = receipt.track
    assert track is not None
    assert receipt.parameters == Fraction(BITS, 32)
    assert receipt.operations == operations(1000)
    assert receipt.score(track).total == score(1000)
    assert (receipt.name, receipt.book, receipt.key) == ("by_hand", "micronet2019", "by_hand")


def _layers(made: dict[str, Any]) -> None:
    made["layers"][0]["additions"] += 1


def _score(made: dict[str, Any]) -> None:
    made["score"]["total"] += 0.1


def _storage(made: dict[str, Any]) -> None:
    made["storage"]["by"]["values"] -= 1


def _parameters(made: dict[str, Any]) -> None:
    made["storage"]["parameters"] -= 1


def _huge(made: dict[str, Any]) -> None:
    made["edges"]["live"] = 10**4000


def _text(made: dict[str, Any]) -> None:
    made["operations"]["total"] = "12"


def _input(made: dict[str, Any]) -> None:
    made["target"]["input"] = "1,3,224,224"


def _waterfall(made: dict[str, Any]) -> None:
    made["waterfall"] = [{"name": "as claimed", "parameters": "many", "operations": 1}]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_layers, "the layers' additions add up to 92071, not 92070"),
        (_score, "but its counts make it"),
        (_storage, "the parts of storage do not add up"),
        (_parameters, f"{BITS} bits are not"),
        (_huge, "live is above 1e+24"),
        (_text, "operations.total is '12', expected number"),
        (_input, "target.input is"),
        (_waterfall, "waterfall is no list of steps"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_changed_number_is_noticed(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    made = document()
    change(made)
    assert words in refusal(folder(tmp_path, made))


@pytest.mark.parametrize(
    "text", ["{", "[1, 2]", "NaN", '{"schema": "other/1"}', '{"a": 1, "a": 2}']
)
def test_what_is_no_receipt_is_named(tmp_path: Path, text: str) -> None:
    folder(tmp_path, document())
    (tmp_path / "reports/receipts/odd.json").write_text(text, encoding="utf-8")
    assert "odd.json: is no" in refusal(tmp_path)


def test_receipts_of_another_kind_are_left_alone(tmp_path: Path) -> None:
    folder(tmp_path, document(), later={"schema": "micronet.later/1"})
    (tmp_path / "reports/receipts/x.evaluation.json").write_text("{", encoding="utf-8")
    assert [each.name for each in read_receipts(tmp_path)] == ["by_hand"]


def test_names_that_a_file_system_may_not_tell_apart_are_refused(tmp_path: Path) -> None:
    folder(tmp_path, document(), BY_HAND=document())
    assert "Rename one of the receipts" in refusal(tmp_path)


def test_a_receipt_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    folder(tmp_path, document())
    with (tmp_path / "reports/receipts/large.json").open("wb") as file:
        file.truncate(2**30)
    assert "more than 67,108,864 bytes" in refusal(tmp_path)


def test_other_rules_may_score_in_another_way(tmp_path: Path) -> None:
    """DNW's entry halved its parameters; that is its rule book's business."""
    rules = {"name": "dnw-release", "sha256": None}
    changed = {"storage": 1.0, "operations": 1.0, "total": 2.0}
    [receipt] = read_receipts(folder(tmp_path, document(rules=rules, score=changed)))
    assert receipt.book == "dnw-release"


def test_a_receipt_may_have_no_score(tmp_path: Path) -> None:
    assert len(read_receipts(folder(tmp_path, document(score=None)))) == 1


def test_a_book_without_a_score_can_have_a_receipt(tmp_path: Path) -> None:
    made = document(
        rules={"name": "macs", "sha256": None, "unit": "multiply-accumulates"}, score=None
    )
    [receipt] = read_receipts(folder(tmp_path, json.loads(json.dumps(made))))
    assert receipt.key == "by_hand.macs"
