"""`micronet score` around the counter: receipts, exit codes, output; the counter is a stand-in."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import torch
from torch import nn

import micronet
from micronet.checkpoints.target import LoadedTarget
from micronet.commands import score
from micronet.errors import Finding, MicronetError
from micronet.evaluation import receipt_file
from micronet.evaluation.state_digest import state_sha256
from micronet.models import InputSpec
from micronet.scoring.api import score_target
from tests.evaluation.samples import LOOK, TARGET, answered
from tests.evaluation.samples import document as evaluation

if TYPE_CHECKING:
    from pathlib import Path

Document = dict[str, Any]
COUNTED = score._document  # before the stand-in takes its place


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


# --- quality --------------------------------------------------------------------------------------

EVALUATE = "Measure it: micronet evaluate by_hand --data DIR"
MEASURED = {
    "qualifies": (True, "qualifies: 37,612 of 50,000, threshold 37,500"),
    "missed": (False, "does not qualify: 37,499 of 50,000, threshold 37,500"),
    "a subset": (None, "cannot certify: track imagenet needs all of it; this is 1,000 images"),
}


def measured(document: Document, kind: str) -> None:
    qualifies, verdict = MEASURED[kind]
    document["quality"].update(
        correct=1, of=2, value=0.5, qualifies=qualifies, verdict=verdict, receipt="reports/x.json"
    )


def required(request: score.Request | None = None) -> int:
    return score.run(request or score.Request("by_hand", require_quality=True))


def test_required_quality_that_qualifies_passes(
    document: Document, capsys: pytest.CaptureFixture[str]
) -> None:
    measured(document, "qualifies")
    assert required() == 0
    assert "qualifies: 37,612 of 50,000, threshold 37,500" in capsys.readouterr().out


def test_quality_below_the_threshold_is_a_finding(document: Document) -> None:
    measured(document, "missed")
    assert score.run(score.Request("by_hand")) == 0
    with pytest.raises(Finding) as raised:
        required()
    assert raised.value.exit_code == 1
    assert str(raised.value) == "by_hand does not qualify: 37,499 of 50,000, threshold 37,500."


def test_quality_on_a_subset_certifies_nothing(document: Document) -> None:
    measured(document, "a subset")
    with pytest.raises(MicronetError, match=r"cannot certify: .* this is 1,000 images") as raised:
        required()
    assert (raised.value.exit_code, raised.value.next_step) == (2, EVALUATE)


def test_without_a_track_there_is_no_quality_to_require(document: Document) -> None:
    measured(document, "a subset")
    document["track"] = None
    with pytest.raises(MicronetError, match="by_hand is on no track") as raised:
        required()
    assert (raised.value.exit_code, raised.value.next_step) == (
        2,
        "Leave --require-quality out; the accuracy stands beside the costs.",
    )


@pytest.mark.parametrize("stub", [True, False])
def test_quality_that_nobody_measured_is_unknown(document: Document, *, stub: bool) -> None:
    if not stub:
        document["quality"] = None
    with pytest.raises(MicronetError, match="none is known for by_hand") as raised:
        required()
    assert (raised.value.exit_code, raised.value.next_step) == (2, EVALUATE)


def test_the_command_to_measure_it_is_the_users(document: Document) -> None:
    document["target"]["name"] = "net"
    request = score.Request("my net.pth", model="net.py:make", require_quality=True)
    with pytest.raises(MicronetError) as raised:
        required(request)
    assert raised.value.next_step == (
        "Measure it: micronet evaluate 'my net.pth' --model net.py:make --data DIR"
    )


def test_a_measured_quality_is_shown_with_its_receipt(
    document: Document, capsys: pytest.CaptureFixture[str]
) -> None:
    measured(document, "a subset")
    assert score.run(score.Request("by_hand")) == 0
    assert "1 of 2, measured: reports/x.json" in capsys.readouterr().out


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 7, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def evaluated(root: Path, model: nn.Module, *, crop: int = 8) -> None:
    """A receipt of ``model``, 2 of 3 right."""
    target = {**TARGET, "sha256": None, "state_sha256": state_sha256(model)}
    target["architecture"] = "net"
    look = {**LOOK, "crop": crop}
    made = answered(2, 3)
    receipt_file.save(evaluation(made, target=target, preprocessing=look), made, root)


def scored(model: nn.Module) -> Document:
    shape = InputSpec((1, 3, 8, 8))
    loaded = LoadedTarget("net", None, None, "net", {}, "unknown", model, shape, None, ())
    return score_target(loaded)


def test_the_evaluated_network_has_its_quality(tmp_path: Path) -> None:
    evaluated(tmp_path, net())
    found = scored(net())
    before = dict(found["quality"])
    score.add_quality(found, net(), tmp_path)
    assert (found["quality"]["correct"], found["quality"]["of"]) == (2, 3)
    assert found["quality"]["qualifies"] is None
    assert found["quality"]["receipt"] == "reports/receipts/by_hand.val.evaluation.json"
    assert set(before) | {"verdict"} == set(found["quality"])
    schema = resources.files("micronet").joinpath("scoring/score.schema.json").read_text("utf-8")
    jsonschema.Draft202012Validator(json.loads(schema)).validate(found)


def test_one_changed_weight_is_another_network(tmp_path: Path) -> None:
    evaluated(tmp_path, net())
    other = net()
    other.get_parameter("0.bias").data[0] += 1
    found = scored(other)
    score.add_quality(found, other, tmp_path)
    assert found["quality"]["value"] is None


def test_why_a_receipt_was_not_used_is_noted(tmp_path: Path) -> None:
    evaluated(tmp_path, net(), crop=16)
    found = scored(net())
    score.add_quality(found, net(), tmp_path)
    assert found["quality"]["value"] is None
    assert "measured with inputs of 16×16, scored with 8×8" in found["notes"][-1]


def test_scoring_from_python_does_not_look_around(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even at a receipt that fits, nor at one that is broken."""
    evaluated(tmp_path, net())
    (tmp_path / "reports/receipts/x.evaluation.json").write_text("{", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    found = micronet.score(net(), input_shape=(1, 3, 8, 8)).document
    assert found["quality"]["value"] is None


def test_the_command_looks_into_the_folder_it_is_called_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same file, the same architecture and input."""
    monkeypatch.chdir(tmp_path)
    torch.save(net().state_dict(), "net.pth")
    code = "from torch import nn\n\ndef make():\n    return nn.Sequential("
    code += "nn.Conv2d(3, 7, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
    (tmp_path / "net.py").write_text(code, encoding="utf-8")
    request = score.Request("net.pth", model="net.py:make", input_shape="1,3,224,224")
    found = COUNTED(request)
    assert found["quality"]["value"] is None
    target = {**TARGET, **{key: found["target"][key] for key in ("sha256", "architecture")}}
    made = answered(3, 3)
    receipt_file.save(evaluation(made, target=target), made, tmp_path)
    assert COUNTED(request)["quality"]["correct"] == 3
