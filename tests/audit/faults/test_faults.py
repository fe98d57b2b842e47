"""Entries with one known fault each: the audit finds it, names the layer, and finds nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from micronet.scoring.printed import printed
from tests.audit.faults import (
    functional_faults,
    mobile_faults,
    narrow_faults,
    pruned_faults,
    residual_faults,
    wired_faults,
)
from tests.audit.faults.claimed import claims_file
from tests.evaluation.pictures import class_folders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.audit.faults.claimed import Fault, Said

    Document = Mapping[str, Any]

HERE = Path(__file__).parent
FAULTS = [
    *residual_faults.FAULTS,
    *mobile_faults.FAULTS,
    *pruned_faults.FAULTS,
    *narrow_faults.FAULTS,
    *narrow_faults.WATCHED,
    *wired_faults.FAULTS,
    *functional_faults.FAULTS,
]
DATA = os.environ.get("MICRONET_TEST_DATA")
NEEDS_DATA = pytest.mark.skipif(
    DATA is None or not (Path(DATA) / "cifar100").is_dir(),
    reason="MICRONET_TEST_DATA names no folder with cifar100",
)
each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


def audited(
    folder: Path, sides: Mapping[str, tuple[str, Said]], data: Path
) -> tuple[int, dict[str, Document]]:
    """The exit code of ``micronet audit`` and what it says of each entry, watched on 2 images."""
    for network in {model.partition(":")[0] for model, _ in sides.values()}:
        shutil.copy(HERE / network, folder)
    claims = folder / "claims.toml"
    entries = ((name, model, said) for name, (model, said) in sides.items())
    claims.write_text(claims_file(entries), encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "micronet", "audit", str(claims), "--trust", "--json"),
            *("--data", str(data), "--images", "2"),
        ],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    found = json.loads(done.stdout)
    return done.returncode, {entry["name"]: entry for entry in found["entries"]}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folders(tmp_path_factory.mktemp("pictures"), 2)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> dict[str, Document]:
    sides = {fault.name: (fault.model, fault.faulty) for fault in FAULTS}
    code, entries = audited(tmp_path_factory.mktemp("faulty"), sides, pictures)
    assert code == 1
    return entries


@pytest.fixture(scope="module")
def faultless(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> dict[str, Document]:
    sides = {fault.name: (fault.model, fault.twin) for fault in FAULTS}
    code, entries = audited(tmp_path_factory.mktemp("faultless"), sides, pictures)
    assert code == 0, [entry for entry in entries.values() if entry["verdict"] == "fails"]
    return entries


def failing(entry: Document) -> dict[str, tuple[str, ...]]:
    return {row["id"]: tuple(row["layers"]) for row in entry["checks"] if row["outcome"] == "fail"}


def assert_found(fault: Fault, entry: Document) -> None:
    """Its check and no other fails, in its layers, and its claims; explained to the last unit."""
    assert failing(entry) == {fault.check: fault.layers}
    assert entry["verdict"] == "fails"
    assert {c["quantity"] for c in entry["claims"] if c["verdict"] != "holds"} == set(fault.fails)
    for claim in entry["claims"]:
        if claim["verdict"] == "fails" and fault.check != "agreement":  # then who knows which
            assert claim["steps"]
            assert fault.says in claim["explanation"]
            gives = claim["found"] + sum(step["change"] for step in claim["steps"])
            decimals = len(claim["stated"].partition(".")[2])  # a score is a float in the document
            assert round(Fraction(gives), decimals) == printed(claim["stated"]).number


def assert_faultless(entry: Document) -> None:
    assert failing(entry) == {}
    assert [claim["verdict"] for claim in entry["claims"]] == ["holds"] * len(entry["claims"])
    assert entry["verdict"] == "holds"


@each_fault
def test_the_fault_and_no_other_is_found_and_explained_to_the_last_unit(
    fault: Fault, faulty: dict[str, Document]
) -> None:
    assert_found(fault, faulty[fault.name])


@each_fault
def test_the_faultless_twin_passes_every_check_and_every_claim_holds(
    fault: Fault, faultless: dict[str, Document]
) -> None:
    assert_faultless(faultless[fault.name])


@NEEDS_DATA
@pytest.mark.parametrize("fault", narrow_faults.WATCHED, ids=lambda fault: fault.name)
def test_what_enters_each_layer_is_watched_on_photographs(fault: Fault, tmp_path: Path) -> None:
    sides = {"faulty": (fault.model, fault.faulty), "faultless": (fault.model, fault.twin)}
    code, entries = audited(tmp_path, sides, Path(DATA or "") / "cifar100")
    assert code == 1
    assert_found(fault, entries["faulty"])
    assert_faultless(entries["faultless"])
