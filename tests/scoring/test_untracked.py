"""A card for a data set that is no track of the challenge: every cost, and no score."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from rich.console import Console

import micronet
from micronet.audit.gather import gather
from micronet.audit.reconcile import with_scores
from micronet.checkpoints.target import load_target
from micronet.commands import score
from micronet.commands.render import score_view
from micronet.evaluation import receipt_file
from micronet.scoring.api import Score
from tests.evaluation.samples import LOOK, TARGET, answered, dataset, document

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = json.loads(
    resources.files("micronet").joinpath("scoring/score.schema.json").read_text("utf-8")
)
NOTE = "cifar10 is no track of the challenge: costs without a score"


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return dict(micronet.score("tiny_static_dnw").document)


@pytest.fixture(scope="module")
def on_imagenet() -> dict[str, Any]:
    """The same network, counted for a track."""
    return dict(micronet.score("tiny_static_dnw", track="imagenet").document)


def shown(document: dict[str, Any]) -> str:
    console = Console(width=200, force_terminal=False)
    with console.capture() as page:
        for part in score_view(document, top=0):
            console.print(part)
    return page.get()


def test_the_costs_are_those_of_any_network(
    found: dict[str, Any], on_imagenet: dict[str, Any]
) -> None:
    costs = ("storage", "operations", "edges", "layers", "transient")
    assert {key: found[key] for key in costs} == {key: on_imagenet[key] for key in costs}
    assert found["edges"]["active"] == 32_000 + 7_200 + 1_088 + 1_000  # biases are no edges


def test_there_is_no_score_and_the_document_says_why(found: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    assert (found["track"], found["score"]) == (None, None)
    assert found["notes"][-1] == NOTE
    assert Score(found).total is None


def test_no_key_is_missing(found: dict[str, Any], on_imagenet: dict[str, Any]) -> None:
    assert set(found) == set(on_imagenet)
    assert found["quality"] == {**on_imagenet["quality"], "threshold": None}
    assert found["quality"]["metric"] == "top1"


def test_a_track_that_is_named_scores_it(on_imagenet: dict[str, Any]) -> None:
    assert on_imagenet["track"] == "imagenet"
    assert on_imagenet["score"]["total"] > 0
    assert NOTE not in on_imagenet["notes"]


def test_people_read_it_too(found: dict[str, Any]) -> None:
    page = shown(found)
    assert ", no track\n" in page
    assert "no track, so no baseline" in page
    assert f"note: {NOTE}" in page


def test_the_accuracy_of_a_receipt_stands_beside_the_costs(
    found: dict[str, Any], tmp_path: Path
) -> None:
    """8,093 of CIFAR-10's 10,000 test images are right; of the training images it says nothing."""
    scored = {**found, "target": {**found["target"], "sha256": TARGET["sha256"]}}
    target = {**TARGET, "architecture": "tiny_static"}
    for name, right, split in (("cifar10-test", 8_093, "cifar10-test"), ("train", 9_900, None)):
        made = answered(right, 10_000)
        data = dataset(made, name=name, split=split, recognised=f"the {name} images")
        look = {**LOOK, "crop": 32, "resize": None}
        receipt = document(made, target=target, track=None, dataset=data, preprocessing=look)
        receipt_file.save(receipt, made, tmp_path)
    score.add_quality(scored, load_target("tiny_static_dnw").model, tmp_path)
    assert (scored["quality"]["correct"], scored["quality"]["of"]) == (8_093, 10_000)
    assert scored["quality"]["qualifies"] is None
    page = shown(scored)
    assert "no track, so no threshold; this is the cifar10-test images" in page
    assert (
        "8,093 of 10,000, measured: reports/receipts/by_hand.cifar10-test.evaluation.json" in page
    )


def test_the_evidence_has_no_score_in_any_dialect(found: dict[str, Any]) -> None:
    evidence = gather(load_target("tiny_static_dnw"))
    assert evidence.track is None
    assert with_scores(evidence) == evidence.counts
    assert evidence.count("micronet2019", "operations") == found["operations"]["total"]
