"""What an audit may say of a number that does not hold, and what it must not."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from micronet.audit.audit import audit_document
from micronet.audit.claims_file import load
from micronet.audit.counting import Wanted, count_entry
from micronet.audit.receipts import quality
from micronet.evaluation.receipt_file import save
from micronet.scoring.tracks import track
from tests.audit.faults import narrow_faults, pruned_faults, residual_faults
from tests.audit.faults.claimed import Claim, Said, claims_file
from tests.evaluation.samples import LOOK, answered, dataset, document

if TYPE_CHECKING:
    from micronet.audit.entry import ClaimsFile
    from micronet.audit.evidence import Evidence

HERE = Path(__file__).parent


def read(said: Said, model: str, folder: Path) -> ClaimsFile:
    path = folder / "claims.toml"
    path.write_text(claims_file([("theirs", model, said)]), encoding="utf-8")
    return load(path)


def evidence_about(model: str, folder: Path) -> Evidence:
    (entry,) = read(Said((Claim("macs", 1),)), model, folder).entries
    return count_entry(entry, Wanted(model=f"{HERE}/{model}"))


def audited(said: Said, evidence: Evidence, folder: Path) -> dict[str, Any]:
    """What an audit says of one entry, with the receipts in ``folder``."""
    file = read(said, "any.py:model", folder)
    by_receipt = partial(quality, root=folder)
    found = audit_document([file], lambda _: (evidence, ""), by_receipt)["entries"][0]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def residual(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return evidence_about(residual_faults.MODEL, tmp_path_factory.mktemp("residual"))


def failing(entry: dict[str, Any]) -> list[str]:
    return [row["id"] for row in entry["checks"] if row["outcome"] == "fail"]


def test_two_digits_are_explained_by_no_combination_of_mistakes(
    residual: Evidence, tmp_path: Path
) -> None:
    """Some combination of three hits almost any two digits; that accuses nobody."""
    assert residual_faults.OPERATIONS == 10_265_952
    for tenths in range(10, 100):
        said = Said((Claim("operations", f"{tenths / 10}M", "micronet2019"),))
        entry = audited(said, residual, tmp_path)
        (claim,) = entry["claims"]
        assert claim["verdict"] == "fails"
        assert failing(entry) == []
        assert claim["steps"] == []


def test_all_digits_are_explained_by_a_combination_of_three(
    residual: Evidence, tmp_path: Path
) -> None:
    mean = residual_faults.MEAN_ADDITIONS + residual_faults.MEAN_SCALES // 2
    free = [mean, residual_faults.MAX_POOL, residual_faults.RESIDUAL]
    number = residual_faults.OPERATIONS - sum(free)
    (claim,) = audited(residual_faults.operations(number), residual, tmp_path)["claims"][1:]
    assert [-step["change"] for step in claim["steps"]] == free


def test_a_mistake_that_two_digits_fit_is_called_perhaps_an_accident(
    residual: Evidence, tmp_path: Path
) -> None:
    without_first = residual_faults.MACS - 32 * 32 * 32 * 27
    assert without_first == 5_904_640
    said = Said((Claim("macs", "5.9M", "macs"),))
    (claim,) = audited(said, residual, tmp_path)["claims"]
    assert claim["verdict"] == "fails"
    assert claim["explanation"] == (
        "macs counts 6,789,376 (+15.07%), and no known mistake explains it; with "
        "multiply-accumulates of the first layer left out it is 5,904,640, "
        "which rounds to 5.9M, perhaps by chance"
    )


def test_a_number_that_nothing_explains_fails_without_an_accusation(
    residual: Evidence, tmp_path: Path
) -> None:
    said = Said((Claim("macs", 1_234_567, "macs"),))
    entry = audited(said, residual, tmp_path)
    assert (entry["verdict"], failing(entry)) == ("fails", [])
    assert entry["claims"][0]["explanation"] == (
        "macs counts 6,789,376 (+449.94%), and no known mistake explains it"
    )


def test_mistakes_that_change_as_much_are_both_named(tmp_path: Path) -> None:
    """One ReLU, one shift for each result of ``conv1``: the total cannot tell which is missing."""
    evidence = evidence_about(narrow_faults.FOUR_BITS, tmp_path)
    number = narrow_faults.OPERATIONS - narrow_faults.RELU
    said = narrow_faults.operations(number)
    (claim,) = audited(said, evidence, tmp_path)["claims"]
    assert "additions of the folded shifts left out" in claim["explanation"]
    assert "activations counted as free" in claim["explanation"]
    assert "or, as it is as much" in claim["explanation"]


SPARSE_PARAMETERS = sum(pruned_faults.KEPT.values()) + 2 * pruned_faults.NORMS + 100
DENSE_PARAMETERS = sum(pruned_faults.DENSE.values()) + 2 * pruned_faults.NORMS + 100


@pytest.mark.parametrize(
    ("claim", "bitmask", "dead_edges"),
    [
        (pruned_faults.stored(pruned_faults.STORED).claims[0], "pass", "pass"),
        (Claim("parameters", SPARSE_PARAMETERS), "skipped", "pass"),
        (Claim("parameters", DENSE_PARAMETERS), "skipped", "skipped"),
    ],
    ids=["the challenge's", "the papers'", "with zeros"],
)
def test_a_check_passes_only_on_a_number_that_would_show_the_mistake(
    claim: Claim, bitmask: str, dead_edges: str, tmp_path: Path
) -> None:
    """Papers count no bitmask, and a count with all zeros says nothing about them."""
    evidence = evidence_about(pruned_faults.MODEL, tmp_path)
    entry = audited(Said((claim,)), evidence, tmp_path)
    outcomes = {row["id"]: row["outcome"] for row in entry["checks"]}
    assert (outcomes["bitmask"], outcomes["dead-edges"]) == (bitmask, dead_edges)


@pytest.mark.parametrize(
    ("total", "parts", "outcome"),
    [
        ("6.8M", ["6.3M", "0.4M"], "pass"),  # 6.34 and 0.44, say
        ("6.8M", ["6.2M", "0.4M"], "pass"),  # 6.29 and 0.49, cut off
        ("6.8M", ["6.1M", "0.4M"], "fail"),
        (str(residual_faults.MACS), [str(residual_faults.MACS - 6400), "6400"], "pass"),
        (str(residual_faults.MACS), [str(residual_faults.MACS - 6400), "6401"], "fail"),
    ],
)
def test_rounded_parts_may_miss_the_total_and_whole_numbers_may_not(
    total: str, parts: list[str], outcome: str, residual: Evidence, tmp_path: Path
) -> None:
    rows = tuple({"of": "macs", "name": part, "stated": part} for part in parts)
    entry = audited(Said((Claim("macs", total),), parts=rows), residual, tmp_path)
    assert {row["id"]: row["outcome"] for row in entry["checks"]}["totals"] == outcome


@pytest.mark.parametrize(
    ("stated", "outcome", "verdict"),
    [("81.23", "pass", "holds"), ("81.3", "fail", "fails"), ("82", "fail", "fails")],
)
def test_top_1_is_held_against_the_receipt(
    stated: str, outcome: str, verdict: str, residual: Evidence, tmp_path: Path
) -> None:
    """8,123 of CIFAR-100's 10,000 test images are right."""
    answers = answered(8_123, 10_000)
    target = {key: value for key, value in residual.target.items() if key not in ("input", "card")}
    receipt = document(
        answers,
        target=target,
        track=track("cifar100"),
        dataset=dataset(answers, split="cifar100-test"),
        preprocessing={**LOOK, "resize": None, "crop": None},
    )
    save(receipt, answers, tmp_path)
    on_cifar = replace(residual, track="cifar100")
    found = audited(Said((Claim("top1", stated),)), on_cifar, tmp_path)
    (claim,) = found["claims"]
    assert (claim["verdict"], claim["found"]) == (verdict, 81.23)
    assert {row["id"]: row["outcome"] for row in found["checks"]}["quality"] == outcome
    assert claim["explanation"].startswith("8,123 of 10,000 right, 81.23 %")
