"""An audit that cannot judge ends with exit code 2 and two lines; nobody's code runs unasked."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
SLY = """
from pathlib import Path
from torch import nn

Path(__file__).with_name("ran").touch()


def model():
    return nn.Conv2d(3, 8, 3)
"""
ENTRY = """
title = "Somebody's claims"

[[entry]]
name = "theirs"
title = "Their network"
by = "somebody"
where = "README.md"
{target}
input = [1, 3, 8, 8]

[[entry.claim]]
quantity = "macs"
stated = "{macs}"
"""
MACS = 6 * 6 * 8 * 27


def audit(folder: Path, claims: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "claims.toml").write_text(claims, encoding="utf-8")
    (folder / "sly.py").write_text(SLY, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "micronet", "audit", "claims.toml", "--json", *options],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_empty_claims_file_is_refused(tmp_path: Path) -> None:
    done = audit(tmp_path, "")
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 2


def test_claims_about_nothing_that_can_be_recounted_are_no_pass(tmp_path: Path) -> None:
    done = audit(tmp_path, ENTRY.format(target='why = "no weights were released"', macs=MACS))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "micronet: Nothing could be judged.",
        "theirs: no weights were released.",
    ]


def test_code_that_a_claims_file_names_does_not_run_unless_it_is_trusted(tmp_path: Path) -> None:
    claims = ENTRY.format(target='model = "sly.py:model"', macs=MACS)
    done = audit(tmp_path, claims)
    assert done.returncode == 2
    assert not (tmp_path / "ran").exists()
    first, second = done.stderr.splitlines()
    assert first == "micronet: Nothing could be judged."
    assert "sly.py:model" in second
    assert "--trust" in second

    runpy.run_path(str(tmp_path / "sly.py"))  # it does leave a trace when it runs
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("spec", ["../sly.py:model", "/their/sly.py:model", "sly.py", "sly.py:a b"])
def test_code_elsewhere_is_refused_even_if_trusted(spec: str, tmp_path: Path) -> None:
    claims = ENTRY.format(target=f'model = "{spec}"', macs=MACS)
    (tmp_path / "sly.py").write_text(SLY, encoding="utf-8")
    folder = tmp_path / "claims"
    folder.mkdir()
    done = audit(folder, claims, "--trust")
    assert done.returncode == 2
    assert "Correct the claims file." in done.stderr
    assert list(tmp_path.rglob("ran")) == []
