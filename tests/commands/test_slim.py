"""`micronet slim`: what it says, its exit codes, and that `micronet score` reads what it wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from PIL import Image

from micronet import cli
from micronet.checkpoints.digest import sha256_of
from micronet.slimming import slim as slimming
from tests.slimming import zoo
from tests.slimming.test_slim import with_a_live_edge

if TYPE_CHECKING:
    Capture = pytest.CaptureFixture[str]

SMALL = f"{Path(zoo.__file__)}:small"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A file of 20 dead edges and one norm, for `--model` SMALL."""
    path = tmp_path / "small.pth"
    torch.save(zoo.small().state_dict(), path)
    return path


def test_it_says_what_went_and_how_it_was_proved(
    network: Path, tmp_path: Path, capsys: Capture
) -> None:
    out, data = tmp_path / "slim.pt", tmp_path / "images"
    data.mkdir()
    Image.new("RGB", (30, 20), (200, 30, 10)).save(data / "one.png")
    assert (
        cli.main(["slim", str(network), "-o", str(out), "--model", SMALL, "--data", str(data)]) == 0
    )
    shown, complaint = capsys.readouterr()
    facts = [
        str(out),
        "was ",
        f"sha256 {sha256_of(out)}",
        "edges: nothing feeds them, or nothing reads them",
        "into the layers before them",
        "zero or never read",
        "on 3 random inputs and 1 image, against the original",
        "in float64: the same outputs, bit for bit",
        "of the largest output (1e-09 allowed)",
        "of the largest output (0.0001 allowed)",
        "for inputs of 1×3×12×12",
    ]
    assert [fact for fact in facts if fact not in shown] == []
    assert complaint == ""


def test_score_reads_what_slim_wrote(network: Path, tmp_path: Path, capsys: Capture) -> None:
    """The same operations before and after."""
    out = tmp_path / "slim.pt"
    assert cli.main(["slim", str(network), "--out", str(out), "--model", SMALL]) == 0
    capsys.readouterr()
    found = []
    for path in (network, out):
        assert cli.main(["score", str(path), "--model", SMALL, "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["operations"] == found[1]["operations"]
    assert found[1]["edges"]["active"] == found[0]["edges"]["live"]


def test_a_proof_that_fails_exits_with_1_and_writes_nothing(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(slimming, "make_plan", with_a_live_edge)
    out = tmp_path / "slim.pt"
    assert cli.main(["slim", str(network), "-o", str(out), "--model", SMALL]) == 1
    shown, complaint = capsys.readouterr()
    assert shown == ""
    assert "An edge that looked dead is not" in complaint
    assert len(complaint.splitlines()) == 2
    assert not out.exists()


MISTAKES = {
    "nothing": (["-o", "x.pt"], "Nothing to slim: neither a target nor --model."),
    "no file": (["nowhere.pt", "-o", "x.pt"], "There is no file nowhere.pt."),
    "no weights": (["--model", "torchvision:resnet18", "-o", "x.pt"], "has no weights here"),
    "no place to write": (["mnv1_582M"], "Missing option '-o' / '--out'"),
}


@pytest.mark.parametrize(("arguments", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_exits_with_2(
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["slim", *arguments]) == 2
    assert expected in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
