"""Receipts on disk: the same facts are the same bytes, and they are believed after a recount only."""

from __future__ import annotations

import copy
import json
import os
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from micronet.errors import MicronetError
from micronet.evaluation.prediction import TIED
from micronet.evaluation.receipt_file import predictions_of, read_receipt, save
from micronet.evaluation.schema import evaluation_schema, problems
from tests.evaluation.samples import (
    FLAGGED,
    REAL,
    TARGET,
    answered,
    complaints,
    content,
    dataset,
    document,
    prediction,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Document = dict[str, Any]
Place = tuple[str | int, ...]

# --- on disk --------------------------------------------------------------------------------------


def test_the_same_facts_are_the_same_bytes(tmp_path: Path) -> None:
    one, two = (
        save(document(FLAGGED, real=REAL), FLAGGED, tmp_path / name, real=REAL) for name in "ab"
    )
    assert one.read_bytes() == two.read_bytes()
    assert one == tmp_path / "a/reports/receipts/by_hand.val.evaluation.json"
    files = [tmp_path / name / "reports/predictions/by_hand.val.csv" for name in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_receipt_comes_back_with_its_predictions(tmp_path: Path) -> None:
    made = document(FLAGGED, real=REAL)
    receipt = read_receipt(save(made, FLAGGED, tmp_path, real=REAL))
    assert receipt.document == made
    kept = predictions_of(receipt)
    assert kept is not None
    assert (kept.predictions, kept.real) == (FLAGGED, REAL)


def test_names_that_are_no_utf8_come_back(tmp_path: Path) -> None:
    odd = (prediction(0, name=os.fsdecode(b"\xff.png"), state=TIED),)
    path = save(document(odd), odd, tmp_path)
    assert b'"\\udcff.png"' in path.read_bytes()
    assert read_receipt(path).document["flags"]["tied"]["first"] == [odd[0].name]


def test_names_cannot_leave_the_folders(tmp_path: Path) -> None:
    made = answered(1, 2)
    hostile = {**TARGET, "name": "../../x/y"}
    found = document(made, target=hostile, dataset=dataset(made, name="../z"))
    assert found["predictions"]["file"] == "x-y...-z.csv"
    path = save(found, made, tmp_path)
    assert path == tmp_path / "reports/receipts/x-y...-z.evaluation.json"
    assert predictions_of(read_receipt(path)) is not None


def test_predictions_may_lie_beside_the_receipt_or_be_gone(tmp_path: Path) -> None:
    made = answered(1, 2)
    path = save(document(made), made, tmp_path)
    kept = tmp_path / "reports/predictions/by_hand.val.csv"
    kept.rename(path.with_name("by_hand.val.csv"))
    assert predictions_of(read_receipt(path)) is not None
    path.with_name("by_hand.val.csv").unlink()
    assert predictions_of(read_receipt(path)) is None


def test_a_receipt_of_other_predictions_is_a_mistake_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="made of other predictions"):
        save(document(answered(1, 2)), answered(2, 2), tmp_path)


# --- receipts of others ---------------------------------------------------------------------------


def test_changed_predictions_are_noticed(tmp_path: Path) -> None:
    made = answered(1, 2)
    receipt = read_receipt(save(document(made), made, tmp_path))
    kept = tmp_path / "reports/predictions/by_hand.val.csv"
    kept.write_bytes(kept.read_bytes().replace(b"0.73", b"0.74"))
    with pytest.raises(MicronetError, match=r"have changed: sha256 .*, expected "):
        predictions_of(receipt)


def test_a_receipt_that_says_more_than_its_predictions_is_refused(tmp_path: Path) -> None:
    """917 of 1,000 is claimed, with a digest that fits the file; the file has 916."""
    made = answered(916, 1000)
    path = save(document(made), made, tmp_path)
    found = json.loads(path.read_text("utf-8"))
    boasted = document(answered(917, 1000))
    found["quality"] = boasted["quality"]
    path.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(MicronetError) as raised:
        predictions_of(read_receipt(path))
    assert "the receipt says top-1 917 of 1000, its predictions give 916 of 1000" in str(
        raised.value
    )


OTHERS: dict[str, tuple[Place, Any, str]] = {
    "top-5": (("top5", "correct"), 2, "says top5 2 of 3, its predictions give 3 of 3"),
    "ReaL": (("real",), {"correct": 1, "of": 1, "value": 1.0}, "says real 1 of 1"),
    "content": (("data", "content_sha256"), content("x"), "content_sha256 is not that of"),
}


@pytest.mark.parametrize(("place", "value", "message"), OTHERS.values(), ids=OTHERS.keys())
def test_every_total_is_recounted(tmp_path: Path, place: Place, value: Any, message: str) -> None:
    made = answered(1, 3)
    path = save(document(made), made, tmp_path)
    path.write_text(json.dumps(changed(document(made), place, value)), encoding="utf-8")
    with pytest.raises(MicronetError, match=message):
        predictions_of(read_receipt(path))


def changed(found: Document, place: Place, value: Any) -> Document:
    found = copy.deepcopy(found)
    at: Any = found
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = value
    return found


LIES: dict[str, tuple[Place, Any, str]] = {
    "a verdict": (("quality", "qualifies"), True, "qualifies is True, but its numbers make it No"),
    "a value": (("quality", "value"), 0.99, "value is 0.99, but its numbers make it 0.3"),
    "a threshold": (("quality", "threshold"), 0.1, "threshold is 0.1"),
    "an interval": (("quality", "interval"), None, "interval is None"),
    "more right than images": (("quality", "correct"), 4, "4 correct of 3, of 3 images"),
    "more images": (("data", "images"), 5, "1 correct of 3, of 5 images"),
    "completeness": (("data", "complete"), True, "complete is True, but split is None"),
    "no predictions": (("predictions",), None, "top1 does not go with the other parts"),
    "a perplexity": (("quality", "metric"), "perplexity", "perplexity does not go with"),
}


@pytest.mark.parametrize(("place", "value", "message"), LIES.values(), ids=LIES.keys())
def test_a_receipt_that_contradicts_itself_is_refused(
    tmp_path: Path, place: Place, value: Any, message: str
) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(changed(document(answered(1, 3)), place, value)), encoding="utf-8")
    with pytest.raises(MicronetError) as raised:
        read_receipt(path)
    assert message in raised.value.message


def test_a_whole_set_of_more_images_than_there_are_is_refused(tmp_path: Path) -> None:
    made = document(answered(1, 3))
    made["data"].update(split="imagenet-val", complete=True, images=50_001)
    made["quality"]["of"] = 50_001
    path = tmp_path / "r.json"
    path.write_text(json.dumps(made), encoding="utf-8")
    with pytest.raises(MicronetError, match=r"r\.json: .* has 50000 examples, found 50001"):
        read_receipt(path)


# --- the schema -----------------------------------------------------------------------------------

WORDS = {
    "$schema", "title", "description", "type", "properties", "required", "items", "const", "enum",
    "pattern", "minLength", "minimum", "maximum", "maxItems",
}  # fmt: skip


def words(schema: Any) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    yield from schema
    for inner in (*schema.get("properties", {}).values(), schema.get("items")):
        yield from words(inner)


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inner:
        yield (*place, key)
        if isinstance(part, dict | list):
            yield from places(part, (*place, key))


def test_the_schema_is_a_schema_of_words_that_we_check() -> None:
    jsonschema.Draft202012Validator.check_schema(evaluation_schema())
    assert set(words(evaluation_schema())) <= WORDS


@pytest.mark.parametrize("value", [None, True, 0, -1, 1.5, "", "x", [], {}, [[]], 10**40, "a/b"])
def test_our_check_of_the_schema_agrees_with_jsonschema(value: Any) -> None:
    """Every field in turn becomes ``value``: both refuse it, or both take it."""
    sound = document(FLAGGED, real=REAL)
    for place in places(sound):
        found = changed(sound, place, value)
        assert bool(list(problems(found, evaluation_schema()))) == bool(complaints(found)), place


def test_our_check_misses_no_missing_part() -> None:
    sound = document(FLAGGED, real=REAL)
    for place in places(sound):
        at: Any = copy.deepcopy(sound)
        found = at
        for step in place[:-1]:
            at = at[step]
        del at[place[-1]]
        assert bool(list(problems(found, evaluation_schema()))) == bool(complaints(found)), place


NO_RECEIPTS: dict[str, tuple[str, str]] = {
    "empty": ("", "is not JSON"),
    "a list": ("[]", "the document is an array of 0, expected object"),
    "another edition": ('{"schema": "micronet.evaluation/2"}', "expected 'micronet.evaluation/1'"),
    "a score": ('{"schema": "micronet.score/1"}', "schema is 'micronet.score/1'"),
    "NaN": ('{"schema": NaN}', "NaN is no finite number"),
    "a key twice": ('{"schema": 1, "schema": 2}', "the key 'schema' is there twice"),
    "brackets": ("[" * 100_000, "is not JSON"),
}


@pytest.mark.parametrize(("text", "message"), NO_RECEIPTS.values(), ids=NO_RECEIPTS.keys())
def test_what_is_no_receipt_is_refused_in_a_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.evaluation.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MicronetError) as raised:
        read_receipt(path)
    assert message in raised.value.message
    assert len(raised.value.message) < 500


@pytest.mark.parametrize("file", ["../x.csv", "/etc/passwd", ".hidden", "a/b.csv", ""])
def test_predictions_outside_of_the_folders_are_refused(tmp_path: Path, file: str) -> None:
    path = tmp_path / "r.json"
    hostile = changed(document(answered(1, 3)), ("predictions", "file"), file)
    path.write_text(json.dumps(hostile), encoding="utf-8")
    with pytest.raises(MicronetError, match=r"predictions\.file is"):
        read_receipt(path)
