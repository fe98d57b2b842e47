"""The receipt: integers decide, and the schema takes what is written."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from micronet.evaluation.language.protocol import Protocol
from micronet.evaluation.language.result import LanguageResult
from micronet.evaluation.prediction import TIED, UNREADABLE
from micronet.evaluation.receipt import content_sha256, perplexity_document, stem
from micronet.evaluation.receipt_file import predictions_of, read_receipt, save
from micronet.evaluation.statistics import wilson
from micronet.evaluation.verdict import top1_quality
from micronet.scoring.tracks import track
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
    from pathlib import Path

Document = dict[str, Any]
Place = tuple[str | int, ...]

# --- what it says ---------------------------------------------------------------------------------


def test_totals_are_integers_and_bad_images_are_wrong() -> None:
    """Right: images 0 and 4. Among the best five: 1 too. ReaL: of 0, 1, 2 and 5 all but 2."""
    found = document(FLAGGED, real=REAL)
    assert (found["quality"]["correct"], found["quality"]["of"]) == (2, 6)
    assert found["top5"] == {"correct": 3, "of": 6, "value": 0.5}
    assert found["real"] == {"correct": 3, "of": 4, "value": 0.75}
    assert found["quality"]["value"] == 2 / 6
    assert complaints(found) == []


def test_what_to_look_at_is_listed() -> None:
    flags = document(FLAGGED)["flags"]
    assert flags["unreadable"] == {"total": 1, "first": [{"name": "image3", "problem": "cut off"}]}
    assert flags["nonfinite"] == {"total": 1, "first": ["image2"]}
    assert flags["tied"] == {"total": 1, "first": ["image1"]}
    assert flags["duplicates"] == {
        "total": 1, "images": 3, "first": [["image0", "image4", "image5"]],
    }  # fmt: skip


def test_bytes_that_nobody_has_read_are_no_duplicates() -> None:
    gone: Document = {"top": (), "margin_percent": None, "state": UNREADABLE, "problem": "gone"}
    flags = document([prediction(i, **gone, content="") for i in range(2)])["flags"]
    assert (flags["unreadable"]["total"], flags["duplicates"]["total"]) == (2, 0)


def test_lists_are_cut_and_totals_are_not() -> None:
    tied = [prediction(i, state=TIED, content=content("all the same")) for i in range(150)]
    flags = document(tied)["flags"]
    assert (flags["tied"]["total"], len(flags["tied"]["first"])) == (150, 100)
    assert (flags["duplicates"]["images"], len(flags["duplicates"]["first"][0])) == (150, 100)


def test_the_content_digest_is_of_names_labels_and_bytes_in_no_order() -> None:
    one, two = prediction(0, name="b\n"), prediction(1, name="a")
    lines = f'["a", 7, "{content(1)}"]\n["b\\n", 7, "{content(0)}"]\n'
    assert content_sha256([one, two]) == hashlib.sha256(lines.encode()).hexdigest()
    assert content_sha256([two, one]) == content_sha256([one, two])
    for change in ({"name": "c"}, {"label": 8}, {"content": content("other")}):
        assert content_sha256([replace(one, **change), two]) != content_sha256([one, two])


def test_predictions_of_other_images_make_no_document() -> None:
    made = answered(1, 3)
    with pytest.raises(ValueError, match="2 predictions, not those of val's images"):
        document(made[:2], dataset=dataset(made))


# --- the threshold --------------------------------------------------------------------------------

WHOLE = {"imagenet": ("imagenet-val", 37_500, 50_000), "cifar100": ("cifar100-test", 8_000, 10_000)}


@pytest.mark.parametrize("name", WHOLE)
def test_one_answer_decides(name: str) -> None:
    split, needed, of = WHOLE[name]
    for correct, qualifies in ((needed - 1, False), (needed, True)):
        found = top1_quality(track(name), split=split, recognised="all", correct=correct, of=of)
        word = "qualifies" if qualifies else "does not qualify"
        assert found["qualifies"] is qualifies
        assert found["verdict"] == f"{word}: {correct:,} of {of:,}, threshold {needed:,}"
        assert found["interval"] is None
        assert found["threshold"] == needed / of


NOT_DECIDED = [
    ("imagenet", None, 50_000),
    ("imagenet", "cifar10-test", 10_000),
    ("cifar100", None, 10_000),
    ("cifar100", "cifar10-test", 10_000),
    ("wikitext103", "imagenet-val", 50_000),
]


@pytest.mark.parametrize(("name", "split", "of"), NOT_DECIDED)
def test_nothing_but_the_tracks_whole_set_decides(name: str, split: str | None, of: int) -> None:
    found = top1_quality(track(name), split=split, recognised="some", correct=of, of=of)
    assert found["qualifies"] is None
    assert found["verdict"].startswith(f"cannot certify: track {name} needs the ")
    assert found["verdict"].endswith(", complete; this is some")
    assert found["interval"] == list(wilson(of, of))


def test_without_a_track_there_is_no_threshold() -> None:
    found = top1_quality(None, split="cifar10-test", recognised="all", correct=9, of=10)
    assert (found["threshold"], found["qualifies"], found["interval"]) == (None, None, None)
    assert found["verdict"] == "no track, so no threshold; this is all"


def test_a_whole_set_is_certified_in_the_document() -> None:
    made = answered(37_612, 50_000)
    found = document(made, split="imagenet-val")
    assert found["quality"]["verdict"] == "qualifies: 37,612 of 50,000, threshold 37,500"
    assert found["data"]["complete"] is True
    assert document(made)["data"]["complete"] is False


# --- language -------------------------------------------------------------------------------------


def language(perplexity: float | None, *, complete: bool = True) -> Document:
    result = LanguageResult(
        tokens=245_569 if complete else 1000,
        nats=Fraction(1),
        perplexity=perplexity,
        nonfinite=0,
        first_nonfinite=None,
        protocol=Protocol("online"),
        layout="either",
        order="appearance",
        vocabulary=267_735,
        unknown=0,
        complete=complete,
        recognised="WikiText-103 test set, complete" if complete else "not the test set",
        corpus_digest=content("corpus"),
        vocabulary_digest=content("vocabulary"),
        model_digest=content("model"),
        notes=("read as it should be",),
    )
    return perplexity_document(
        target=TARGET,
        track=track("wikitext103"),
        name="wikitext103_test",
        result=result,
        arithmetic={"dtype": "float32", "device": "cpu", "compiled": False},
    )


@pytest.mark.parametrize(
    ("perplexity", "qualifies", "verdict"),
    [
        (35.0, True, "qualifies: 35.0, threshold 35"),
        (35.000000001, False, "does not qualify: 35.000000001, threshold 35"),
        (None, False, "does not qualify: no finite number, threshold 35"),
    ],
)
def test_a_perplexity_is_judged_unrounded(
    perplexity: float | None, qualifies: bool, verdict: str
) -> None:
    found = language(perplexity)
    quality = found["quality"]
    assert (quality["qualifies"], quality["verdict"]) == (qualifies, verdict)
    assert (quality["metric"], quality["of"], found["top5"]) == ("perplexity", 245_569, None)
    assert complaints(found) == []


def test_another_text_certifies_nothing() -> None:
    found = language(20.0, complete=False)["quality"]
    assert found["qualifies"] is None
    assert found["verdict"].startswith("cannot certify: track wikitext103 needs the WikiText-103")


def test_a_language_receipt_comes_back(tmp_path: Path) -> None:
    path = save(language(30.5), (), tmp_path)
    assert path.name == "by_hand.wikitext103_test.evaluation.json"
    receipt = read_receipt(path)
    assert receipt.document["quality"]["value"] == 30.5
    assert predictions_of(receipt) is None


@pytest.mark.parametrize(
    ("source", "decoder", "dtype", "expected"),
    [
        ("card n", "pil", "float32", "n.d"),
        (
            "card n + options resize=64x64, crop=none",
            "pil",
            "float32",
            "n.d.resize-64x64-crop-none",
        ),
        ("card n", "draft", "bfloat16", "n.d.draft.bfloat16"),
    ],
)
def test_a_trial_does_not_overwrite_the_receipt_of_the_card(
    source: str, decoder: str, dtype: str, expected: str
) -> None:
    document = {
        "target": {"name": "n"},
        "data": {"name": "d"},
        "preprocessing": {"source": source, "decoder": decoder},
        "arithmetic": {"dtype": dtype, "compiled": False},
    }
    assert stem(document) == expected
