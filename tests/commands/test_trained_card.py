"""Every verb on a card whose weights we trained, for a data set that is no track of the challenge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from micronet import cli
from micronet.checkpoints.digest import sha256_of
from micronet.evaluation.data.classes import class_list
from tests.checkpoints.trained import NAME, shelve
from tests.evaluation.pictures import encoded, picture

Capture = pytest.CaptureFixture[str]

CLAIMS = """
title = "Ours"

[[entry]]
name = "ours"
title = "Our wiring"
by = "us"
where = "here"
card = "own"

[[entry.claim]]
quantity = "top1"
stated = "80.9"

[[entry.claim]]
quantity = "macs"
stated = "{macs}"
"""


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped file of the only card; the test runs in an empty folder beside the shelf."""
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    return shelve(tmp_path / "checkpoints", monkeypatch)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return folders(tmp_path / "some", class_list("cifar10"))


def folders(root: Path, classes: tuple[str, ...]) -> Path:
    """A picture of 32 × 32 pixels for each class in ``root``/test, and none to evaluate in train."""
    for index, name in enumerate(classes):
        (root / "test" / name).mkdir(parents=True)
        image = encoded(picture(index, 32, 32), "PNG")
        (root / "test" / name / f"{index}.png").write_bytes(image)
    (root / "train").mkdir()
    return root


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


def told(capsys: Capture, *words: object) -> dict[str, Any]:
    """The document that a command writes."""
    capsys.readouterr()
    run(*words, "--json")
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def refusal(capsys: Capture, *words: object) -> list[str]:
    """The two lines of a refusal."""
    capsys.readouterr()
    assert run(*words) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    return lines


def test_it_is_listed_and_shown_with_its_digest(weights: Path, capsys: Capture) -> None:
    assert run("list") == 0
    [row] = [line for line in capsys.readouterr().out.splitlines() if line.startswith(NAME)]
    assert row.split()[-1] == "shipped"
    assert run("show", NAME) == 0
    page = capsys.readouterr().out
    assert "trained, shipped" in page
    assert f"shipped: sha256 {sha256_of(weights)}\n" in page
    assert told(capsys, "show", NAME)["sources"][0]["url"] is None


def test_what_was_evaluated_is_the_accuracy_of_what_is_scored(
    weights: Path, data: Path, capsys: Capture
) -> None:
    measured = told(capsys, "evaluate", NAME, "--data", data, "--threads", 1)
    assert (measured["track"], measured["quality"]["of"]) == (None, 10)
    assert measured["data"]["recognised"].startswith("10 images in the classes of CIFAR-10")
    assert measured["preprocessing"]["source"] == f"card {NAME}"
    scored = told(capsys, "score", NAME)
    assert (scored["target"]["weights"], scored["target"]["sha256"]) == (
        "trained",
        sha256_of(weights),
    )
    assert (scored["track"], scored["score"]) == (None, None)
    assert scored["quality"]["correct"] == measured["quality"]["correct"]
    assert scored["quality"]["receipt"] == f"reports/receipts/{NAME}.some-test.evaluation.json"


def test_another_data_set_is_refused(weights: Path, tmp_path: Path, capsys: Capture) -> None:
    assert weights.is_file()
    other = folders(tmp_path / "other", ("rose", "tulip"))
    lines = refusal(capsys, "evaluate", NAME, "--data", other, "--threads", 1)
    assert lines[0].endswith("2 classes, but cifar10 has 10.")


def test_claims_about_it_are_audited(weights: Path, data: Path, capsys: Capture) -> None:
    assert weights.is_file()
    macs = told(capsys, "score", NAME, "--rules", "macs")["operations"]["total"]
    assert run("evaluate", NAME, "--data", data, "--threads", 1) == 0
    capsys.readouterr()
    Path("claims.toml").write_text(CLAIMS.format(macs=macs), encoding="utf-8")
    for save in ((), ("--save",), ()):  # counted, counted and kept, from the receipt
        [entry] = told(capsys, "audit", "claims.toml", *save)["entries"]
        accuracy, cost = entry["claims"]
        assert (cost["verdict"], cost["dialect"]) == ("holds", "macs")
        assert accuracy["verdict"] == "unjudged"
        assert accuracy["explanation"].startswith("measured on a part only")
    assert told(capsys, "reconcile", macs, NAME)["matches"]


def test_there_is_no_package_of_it(weights: Path, capsys: Capture) -> None:
    assert weights.is_file()
    assert refusal(capsys, "package", NAME, "-o", "entry.zip") == [
        "micronet: own: cifar10 is no track of the challenge, and a package is an entry to one.",
        "Entries are to one of: imagenet, cifar100, wikitext103.",
    ]


def test_a_report_tells_that_it_has_no_score(weights: Path, capsys: Capture) -> None:
    assert weights.is_file()
    assert run("score", NAME, "--save") == 0
    lines = refusal(capsys, "report")
    assert lines[0].endswith("was scored here by micronet2019, only own, on no track.")


def test_it_is_slimmed_and_neither_built_over_nor_fetched_anew(
    weights: Path, capsys: Capture
) -> None:
    before = weights.read_bytes()
    assert run("slim", NAME, "-o", "slim.pt") == 0
    assert told(capsys, "score", "slim.pt", "--track", "cifar10")["target"]["weights"] == "trained"
    assert "holds trained weights" in refusal(capsys, "build", NAME)[0]
    assert told(capsys, "fetch", NAME)["path"] == str(weights)
    assert weights.read_bytes() == before
