"""`micronet score` around the counter: receipts, exit codes, output; the counter is a stand-in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from micronet.commands import score
from micronet.errors import Finding, MicronetError

if TYPE_CHECKING:
    from pathlib import Path

Document = dict[str, Any]


@pytest.fixture(autouse=True)
def counter(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "_document", lambda _: document)


def test_json_is_the_document_and_nothing_else(
    document: Document, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score.run(score.Request("by_hand", json=True)) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == document
    assert out.isascii()
    assert err == ""


def test_text_shows_the_score(capsys: pytest.CaptureFixture[str]) -> None:
    assert score.run(score.Request("by_hand")) == 0
    assert "= 0.0024 storage + 0.0079 operations" in capsys.readouterr().out


def test_a_receipt_is_the_document_sorted_with_a_newline_at_its_end(
    document: Document,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert score.run(score.Request("by_hand", json=True, save=True)) == 0
    [receipt] = (tmp_path / "reports" / "receipts").iterdir()
    text = receipt.read_text(encoding="utf-8")
    assert receipt.name == "by_hand.micronet2019.json"
    assert json.loads(text) == document
    assert text.endswith("}\n")
    assert text.index('"edges"') < text.index('"layers"') < text.index('"target"')
    out, err = capsys.readouterr()
    assert json.loads(out) == document
    assert err == f"receipt: {receipt}\n"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("torchvision:resnet18", "torchvision-resnet18.macs.json"),
        ("../../etc/x", "etc-x.macs.json"),
        ("a b", "a-b.macs.json"),
    ],
)
def test_a_receipt_stays_in_its_folder(
    document: Document, tmp_path: Path, name: str, file: str
) -> None:
    document["target"]["name"], document["rules"]["name"] = name, "macs"
    path = score.save_receipt(document, tmp_path)
    assert path == tmp_path / "reports" / "receipts" / file


def test_a_receipt_that_cannot_be_written_says_so(document: Document, tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file", encoding="utf-8")
    with pytest.raises(MicronetError, match="cannot be written"):
        score.save_receipt(document, tmp_path)


def test_a_claim_that_fails_is_shown_and_left_to_the_audit(
    document: Document, capsys: pytest.CaptureFixture[str]
) -> None:
    document["claims"][0].update(verdict="fails", found=1)
    assert score.run(score.Request("by_hand", json=True)) == 0
    assert json.loads(capsys.readouterr().out) == document


QUALITY = {"qualifies": (True, None), "missed": (False, Finding), "unknown": (None, MicronetError)}


@pytest.mark.parametrize(("qualifies", "error"), QUALITY.values(), ids=QUALITY.keys())
def test_required_quality(
    document: Document, qualifies: bool | None, error: type[MicronetError] | None
) -> None:
    document["quality"].update(value=74.9, qualifies=qualifies)
    score.judge(document, require_quality=False)
    if error is None:
        score.judge(document, require_quality=True)
        return
    with pytest.raises(error) as raised:
        score.judge(document, require_quality=True)
    assert raised.type is error


def test_no_quality_at_all_is_unknown_quality(document: Document) -> None:
    document["quality"] = None
    with pytest.raises(MicronetError, match="none is known for by_hand"):
        score.judge(document, require_quality=True)
