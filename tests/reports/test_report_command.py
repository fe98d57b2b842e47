"""``micronet report`` as users type it: real processes, exit codes, and nothing heavy imported."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from micronet.cli import main
from tests.reports.by_hand import committed, document, folder, score
from tests.reports.trained_by_hand import keep, trained

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("torch", "torchvision", "numpy", "pandas", "matplotlib", "fvcore", "thop")
PROBE = f"""
import sys
from micronet.cli import main
code = main(sys.argv[1:])
print(*sorted(set({HEAVY}) & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


def report(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The command, run in ``root``."""
    command = [sys.executable, "-m", "micronet", "report", *options]
    return subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return folder(tmp_path, document(), committed("resnet50_dnw_10.micronet2019"))


def test_it_writes_the_report_and_shows_the_submission(root: Path) -> None:
    done = report(root)
    assert (done.returncode, done.stdout.splitlines()[0]) == (
        0,
        "Submission, ImageNet classification",
    )
    assert "by_hand" in done.stdout
    assert done.stderr.splitlines() == [
        "wrote reports/README.md, reports/report.html",
        "wrote reports/tables: 29 files",
    ]
    assert (root / "reports" / "report.html").read_text("utf-8").startswith("<!doctype html>")


def test_check_passes_only_what_was_written(root: Path) -> None:
    missing = report(root, "--check")
    assert missing.returncode == 1
    assert "reports/README.md: is missing" in missing.stderr
    assert "Write them again: micronet report" in missing.stderr
    assert not (root / "reports" / "tables").exists()
    report(root)
    assert report(root, "--check").returncode == 0
    page = root / "reports" / "report.html"
    page.write_text(
        page.read_text("utf-8").replace("micronet2019", "micronet2020"), encoding="utf-8"
    )
    done = report(root, "--check")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == (
        "micronet: reports/report.html: is not what the receipts give."
    )


def test_a_changed_receipt_makes_the_report_stale(root: Path) -> None:
    report(root)
    folder(root, document(positions=1001))
    done = report(root, "--check")
    assert done.returncode == 1
    assert "more." in done.stderr.splitlines()[0]  # not all of them are named


def test_a_training_that_is_new_or_changed_makes_the_report_stale(root: Path) -> None:
    report(root)
    keep(root, trained())
    done = report(root, "--check")
    assert done.returncode == 1
    assert "reports/tables/training.csv: is missing" in done.stderr
    report(root)
    assert report(root, "--check").returncode == 0
    keep(root, trained((4_000, 7_001)))
    done = report(root, "--check")
    assert done.returncode == 1
    assert "reports/tables/training.csv: is not what the receipts give" in done.stderr
    [receipt] = (root / "reports" / "receipts").glob("*.training.json")
    receipt.unlink()
    done = report(root, "--check")
    assert "reports/tables/runs.csv: no receipt gives it any more" in done.stderr


def test_trainings_alone_are_a_report(tmp_path: Path) -> None:
    keep(tmp_path, trained(seed=2), trained((4_000, 7_100)))
    done = report(tmp_path, "--figures")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "Training")
    assert "70.50 ± 0.71" in done.stdout
    assert "2 epochs instead of 160" in done.stdout
    drawn = {path.name for path in (tmp_path / "reports" / "figures").glob("*.svg")}
    assert drawn == {"training-accuracy-tiny_static.svg", "training-wiring-tiny_static.svg"}
    assert report(tmp_path, "--check").returncode == 0
    [found] = json.loads(report(tmp_path, "--show", "training", "--format", "json").stdout)["rows"]
    assert found["top1_percent"]["variance"] == "1/2"
    rows = report(tmp_path, "--show", "runs", "--format", "csv").stdout.splitlines()
    assert len(rows) == 3


def test_a_training_that_contradicts_itself_is_said_in_two_lines(root: Path) -> None:
    keep(root, odd=trained() | {"test_right": 9_999})
    done = report(root)
    assert (done.returncode, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert first.endswith(
        "reports/receipts/odd.training.json: is no receipt of a training: test_right is 9999, but"
        " 7000 in the last epoch."
    )
    assert second == "Delete it, and train again: micronet train CARD --data DIR --save"


def test_nothing_heavy_is_imported(root: Path) -> None:
    keep(root, trained())
    for options in (
        [],
        ["--check"],
        ["--show", "layers"],
        ["--show", "training"],
        ["--show", "submission", "--format", "html"],
    ):
        command = [sys.executable, "-c", PROBE, "report", *options]
        done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stderr.splitlines()[-1] == ""


def test_figures_are_drawn_when_asked_for_and_checked_then(root: Path) -> None:
    (root / "reports/receipts/resnet50_dnw_10.micronet2019.json").unlink()
    assert report(root, "--figures").returncode == 0
    drawn = {path.suffix for path in (root / "reports" / "figures").iterdir()}
    assert drawn == {".svg", ".png", ".pdf", ".json"}
    assert report(root, "--check").returncode == 0
    (root / "reports" / "figures" / "stages-by_hand.png").unlink()
    done = report(root, "--check")
    assert done.returncode == 1
    assert "figures/stages-by_hand.png: is missing" in done.stderr


def test_one_table_in_every_format(root: Path) -> None:
    show = ("--show", "submission", "--format")
    [_, first, *_] = csv.reader(io.StringIO(report(root, *show, "csv").stdout))
    assert first[0] == "by_hand"
    found = json.loads(report(root, *show, "json").stdout)
    assert found["rows"][0]["score_total"]["exact"] == str(score(1000))
    assert report(root, *show, "markdown").stdout.startswith("## Submission")
    assert r"\begin{longtable}" in report(root, *show, "latex").stdout
    assert report(root, *show, "html").stdout.startswith("<!doctype html>")
    assert not (root / "reports" / "tables").exists()


def test_machine_formats_hold_one_table(root: Path) -> None:
    done = report(root, "--show", "layers", "--format", "csv")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "micronet: There are 2 such tables, and csv holds one.",
        "Choose: --receipt, one of by_hand, resnet50_dnw_10",
    ]
    done = report(root, "--show", "layers", "--format", "csv", "--receipt", "by_hand")
    assert done.stdout.splitlines()[1].startswith("stem.conv,")


def test_the_layers_of_a_baseline_can_be_asked_for(root: Path) -> None:
    folder(root, document("nasnet_a_mobile"))
    done = report(root, "--show", "layers", "--receipt", "nasnet_a_mobile")
    assert done.stdout.startswith("Layers of nasnet_a_mobile, micronet2019")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--format", "csv"], "--show submission"),
        (["--receipt", "x"], "--show submission"),
        (["--show", "layers", "--check"], "--show writes nothing"),
        (["--show", "layers", "--out", "x"], "--show writes nothing"),
        (["--check", "--figures"], "--check looks at the figures"),
        (["--show", "layers", "--receipt", "x"], "There is no table 'layers' of 'x'"),
        (["--show", "audit"], "micronet audit --save"),
        (["--show", "training"], "micronet train CARD --data DIR --save"),
        (["--show", "runs"], "There is no receipt of a training"),
        (["--show", "waterfal"], "waterfal"),
    ],
)
def test_what_cannot_be_done_is_said_in_two_lines(
    root: Path,
    options: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(root)
    assert main(["report", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert len(err.splitlines()) <= 2


def test_without_receipts_there_is_nothing_to_report(tmp_path: Path) -> None:
    done = report(tmp_path)
    assert done.returncode == 2
    assert "micronet score TARGET --save" in done.stderr


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}", b"[" * 100_000, b'{"schema": 3}'])
def test_a_damaged_receipt_gets_no_traceback(
    root: Path,
    content: bytes,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (root / "reports" / "receipts" / "bad.json").write_bytes(content)
    monkeypatch.chdir(root)
    assert main(["report"]) == 2
    assert "bad.json" in capsys.readouterr().err
    assert not (root / "reports" / "README.md").exists()


def test_it_can_be_written_elsewhere(root: Path, tmp_path: Path) -> None:
    assert report(root, "--out", "elsewhere").returncode == 0
    assert not (root / "reports" / "README.md").exists()
    assert report(root, "--out", "elsewhere", "--check").returncode == 0
    file = tmp_path / "file"
    file.touch()
    done = report(root, "--out", str(file))
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
