"""The threshold: met by counted answers, on all of a test set, as this project recognises it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from micronet import cli
from micronet.checkpoints.build import seeded_model
from micronet.checkpoints.native import Checkpoint, write_native
from micronet.checkpoints.target import load_target
from micronet.evaluation.data.classes import track_classes
from micronet.evaluation.data.dataset import Dataset, Example
from micronet.evaluation.prediction import OK, Prediction
from micronet.evaluation.receipt import evaluation_document
from micronet.evaluation.receipt_file import save
from micronet.evaluation.state_digest import target_facts
from micronet.packages.build import Order, build
from micronet.packages.report import PASS, SKIPPED, Check, Report
from micronet.packages.texts import json_bytes
from micronet.scoring.tracks import track
from tests.packages.judging import judged, rows
from tests.packages.made import forged, members_of, tiny_checkpoint
from tests.packages.receipts import receipt_in, replaced, with_answers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    Capture = pytest.CaptureFixture[str]

CONFIG = {"dim": 132, "edges": 50, "steps": 2, "classes": 100}
CLASSES = track_classes("cifar100") or ()
UNSEEN = "but for its answers, which were not evaluated again: --data DIR"
MISSED = "it misses the threshold: 7,999 of 10,000, threshold 8,000"
UNCOUNTED = "its perplexity is by the receipt alone: measure it with micronet evaluate"


def whole_set(folder: Path, correct: int, **changes: Any) -> bytes:
    """A package whose receipt is of 10,000 images, 100 a class, the first ``correct`` of them right."""
    model = seeded_model("tiny_static", CONFIG, 1)
    path = folder / "net.pt"
    write_native(path, Checkpoint("tiny_static", CONFIG, model.state_dict(), {}))
    loaded = load_target(str(path))
    examples = tuple(Example(f"test/{i:05d}", i % 100, 0) for i in range(10_000))
    predictions = tuple(answer(i, right=i < correct) for i in range(10_000))
    document = evaluation_document(
        target=target_facts(loaded),
        track=track("cifar100"),
        dataset=cifar100(folder, examples),
        preprocessing={
            "resize": None,
            "crop": None,
            "interpolation": "none",
            "antialias": True,
            "mean": (0.5, 0.5, 0.5),
            "std": (0.25, 0.25, 0.25),
            "decoder": "pil",
            "source": "card by_hand",
        },
        arithmetic={"dtype": "float32", "device": "cpu", "compiled": False},
        predictions=predictions,
    )
    receipt_path = save({**document, **changes}, predictions, folder)
    return build(Order(loaded, "cifar100", "micronet2019", receipt=receipt_path)).content


def cifar100(folder: Path, examples: Sequence[Example]) -> Dataset:
    def read(index: int) -> bytes:
        raise OSError(index)

    return Dataset(
        name="cifar100",
        kind="cifar",
        root=folder,
        classes=CLASSES,
        examples=tuple(examples),
        read=read,
        fingerprint="0" * 64,
        split="cifar100-test",
        recognised="CIFAR-100 test set by its pixels",
    )


def answer(index: int, *, right: bool) -> Prediction:
    label = index % 100
    best = [c for c in range(6) if c != label][:5]
    return Prediction(
        index=index,
        name=f"test/{index:05d}",
        label=label,
        top=(label, *best[:4]) if right else tuple(best),
        margin_percent=50,
        state=OK,
        content=f"{index:064x}",
    )


@pytest.mark.parametrize(
    ("correct", "verdict", "required"),
    [
        (8_000, f"verified, {UNSEEN}", 0),
        (
            7_999,
            f"verified, does not qualify because {MISSED}",
            1,
        ),
    ],
)
def test_the_threshold_is_met_by_integers_on_the_whole_set(
    correct: int, verdict: str, required: int, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "entry.zip"
    path.write_bytes(whole_set(tmp_path, correct))
    code, found = judged(capsys, path)
    assert (code, found["packages"][0]["verdict"]) == (0, verdict)
    assert judged(capsys, path, "--require-quality")[0] == required


def test_a_receipt_cannot_call_its_images_the_whole_set(tmp_path: Path, capsys: Capture) -> None:
    """10,000 predictions of one class more and another less, under the name of the test set."""
    path = tmp_path / "entry.zip"
    content = whole_set(tmp_path, 8_000)

    def change(found: list[Prediction]) -> None:
        replaced(found, 9_999, label=98, top=(0, 1, 2, 3, 4))

    path.write_bytes(forged(content, with_answers(tmp_path, change)))
    code, found = judged(capsys, path)
    assert (code, rows(found)["evaluation"]["outcome"]) == (1, "fail")
    assert "says that it is of cifar100-test; its predictions are of" in json.dumps(found)


def test_a_perplexity_does_not_qualify_by_the_receipts_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The receipt of 60 tokens is forged to be of the whole test set, and below the threshold."""
    monkeypatch.chdir(tmp_path)
    tiny_checkpoint(tmp_path / "tiny.pt")
    (tmp_path / "vocabulary.txt").write_text("a\nb\nc\n<eos>\n<unk>\n")
    (tmp_path / "wiki.test.tokens").write_text(" a b c a \n b c a b \n" * 6)
    words = ["--track", "wikitext103", "--data", ".", "--vocabulary", "vocabulary.txt"]
    assert cli.main(["evaluate", "tiny.pt", *words]) == 0
    assert cli.main(["package", "tiny.pt", "--track", "wikitext103", "-o", "entry.zip"]) == 0
    capsys.readouterr()
    code, found = judged(capsys, "entry.zip", "--data", ".")
    assert (code, rows(found)["answers"]["outcome"]) == (0, "skipped")
    members = members_of((tmp_path / "entry.zip").read_bytes())
    document = json.loads(bytes(members[receipt_in(members)]))
    document["data"] |= {"split": "wikitext103-test", "complete": True, "recognised": "all"}
    document["quality"] |= {"of": 245_569, "value": 30.0, "qualifies": True}
    document["quality"]["verdict"] = "qualifies: 30.0, threshold 35"
    (tmp_path / "forged.evaluation.json").write_bytes(json_bytes(document))
    package = ["package", "tiny.pt", "--track", "wikitext103", "-o", "forged.zip"]
    assert cli.main([*package, "--evaluation", "forged.evaluation.json"]) == 0
    capsys.readouterr()
    code, found = judged(capsys, "forged.zip")
    assert (code, found["packages"][0]["verdict"]) == (
        0,
        f"verified, does not qualify because {UNCOUNTED}",
    )
    assert judged(capsys, "forged.zip", "--require-quality")[0] == 2


def test_answers_of_other_arithmetic_are_not_compared(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "entry.zip"
    arithmetic = {"dtype": "bfloat16", "device": "cuda", "compiled": False}
    path.write_bytes(whole_set(tmp_path, 8_000, arithmetic=arithmetic))
    code, found = judged(capsys, path, "--data", tmp_path)
    assert (code, rows(found)["answers"]["outcome"]) == (0, "skipped")
    assert "measured in bfloat16 on cuda" in rows(found)["answers"]["because"]


def test_the_verdict_says_whether_the_answers_were_seen() -> None:
    quality = {"qualifies": True, "correct": 8_000, "receipt": "r", "verdict": "qualifies"}
    document = {"quality": quality}
    seen = Check("answers", PASS, "all 10,000 images, every answer equal")
    assert Report("e.zip", None, (seen,), document=document).verdict == "verified"
    unseen = Report("e.zip", None, (replace(seen, outcome=SKIPPED),), document=document)
    assert unseen.verdict == f"verified, {UNSEEN}"
