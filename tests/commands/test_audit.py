"""`micronet audit` as people run it: shipped claims by their evidence, and what makes it count again."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from PIL import Image

from micronet.audit.audit import audit_document
from micronet.audit.counting import Wanted, count_entry
from micronet.audit.evidence import document, evidence_path, read
from micronet.audit.receipts import from_receipt, recountable, shipped_audit
from micronet.audit.shipped import shipped_claims
from micronet.reports import write_receipt

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = {entry.name: entry for file in shipped_claims() for entry in file.entries}
COUNTED = sorted(name for name, entry in ENTRIES.items() if recountable(entry))
QUICK = ("mobilenet_v1", "resnet50_dnw_10", "tiny_static_dnw", "shufflenet_v2_0.5")

MODEL = "import torch\n\ndef make():\n    return torch.nn.Linear(4, {out}, bias=False)\n"
CLAIMS = """
title = "A linear layer"
[[entry]]
name = "linear"
title = "4 inputs"
by = "nobody"
where = "here"
model = "net.py:make"
input = [1, 4]
[[entry.claim]]
quantity = "macs"
stated = "{macs}"
"""


def audit(*words: str, cwd: Path = ROOT) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "micronet", "audit", *words],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def shipped() -> dict[str, Any]:
    code, out, err = audit("--json")
    assert (code, err) == (1, "")  # published numbers fail, and that is a finding
    return dict(json.loads(out))


def claim(found: dict[str, Any], name: str, quantity: str, stated: str) -> dict[str, Any]:
    (entry,) = (entry for entry in found["entries"] if entry["name"] == name)
    rows = [c for c in entry["claims"] if (c["quantity"], c["stated"]) == (quantity, stated)]
    return dict(rows[0])


def test_the_document_of_all_shipped_claims_is_as_its_schema_says(shipped: dict[str, Any]) -> None:
    schema = resources.files("micronet.audit").joinpath("audit.schema.json").read_text("utf-8")
    jsonschema.validate(shipped, json.loads(schema))
    totals = shipped["totals"]
    verdicts = ("holds", "holds in another dialect", "fails", "unjudged")
    assert totals["claims"] == sum(totals[verdict] for verdict in verdicts)
    assert totals["entries"] == len(shipped["entries"]) == len(ENTRIES)


def test_the_command_says_what_the_receipts_say(shipped: dict[str, Any]) -> None:
    assert shipped == shipped_audit(ROOT)


@pytest.mark.parametrize(
    ("name", "claimed", "judged"),
    [
        ("nasnet_a_mobile", ("macs", "564M"), ("holds", "macs")),
        ("nasnet_a_mobile", ("parameters", "5.3M"), ("holds", "macs")),
        ("pnasnet5_mobile", ("macs", "588M"), ("fails", "macs")),
        ("darts_imagenet", ("macs", "574M"), ("fails", "macs")),
        ("mobilenet_v1", ("macs", "569M"), ("holds", "macs")),
        ("mobilenet_v2_1.4", ("operations", "1170M"), ("fails", "2 × macs")),
        ("wideresnet_28_10", ("operations", "10.49B"), ("holds", "2 × macs")),
        (
            "resnet50_dnw_10",
            ("parameters", "2,558,732"),
            ("holds in another dialect", "dnw-release"),
        ),
        ("resnet50_dnw_10", ("macs", "515,231,310"), ("holds in another dialect", "dnw-release")),
        ("resnet50_dnw_10", ("score", "0.8460"), ("fails", "micronet2019")),
        ("mnv1_582M", ("macs", "582M"), ("unjudged", "dnw-release")),
    ],
)
def test_the_verdicts_that_people_will_look_up(
    shipped: dict[str, Any], name: str, claimed: tuple[str, str], judged: tuple[str, str]
) -> None:
    found = claim(shipped, name, *claimed)
    assert (found["verdict"], found["dialect"]) == judged


def test_the_challenge_entry_falls_step_by_step_from_0_8460_to_its_score(
    shipped: dict[str, Any],
) -> None:
    """(2,089,344.5 / 6.9 M) + (789,567,188 / 1170 M) = 0.30280 + 0.67484 = 0.97765."""
    (entry,) = (entry for entry in shipped["entries"] if entry["name"] == "resnet50_dnw_10")
    steps = entry["waterfall"]
    assert f"{steps[0]['score']:.4f}" == "0.8460"
    assert sum(step["parameters"] for step in steps) == 2_089_344.5
    assert sum(step["operations"] for step in steps) == 789_567_188
    found = claim(shipped, "resnet50_dnw_10", "score", "0.8460")["found"]
    assert f"{sum(step['score'] for step in steps):.9f}" == f"{found:.9f}" == "0.977647301"


def test_what_582_million_takes_is_said(shipped: dict[str, Any]) -> None:
    """597,064,704 alive, less 582.5 M to 581 M … of the 56,448,000 that can die."""
    why = claim(shipped, "mnv1_582M", "macs", "582M")["explanation"]
    assert "14,064,705 to 15,564,704 of the 56,448,000 of stem and nodes dead" in why


def test_a_failed_figure_of_a_baseline_comes_with_what_is_known_about_it(
    shipped: dict[str, Any],
) -> None:
    why = claim(shipped, "mobilenet_v2_1.4", "macs", "585M")["explanation"]
    assert "the recount reads 582M" in why


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in COUNTED],
)
def test_the_evidence_in_reports_is_what_a_recount_gives(name: str) -> None:
    entry = ENTRIES[name]
    kept = read(evidence_path(ROOT, entry.card or entry.name))
    counted = count_entry(entry, Wanted())
    ours = replace(counted, target={**counted.target, "sha256": kept.target["sha256"]})
    assert document(ours) == document(kept)


def test_a_card_is_audited_alone() -> None:
    code, out, _ = audit("wideresnet_28_10")
    assert code == 0
    assert "2 claims: 2 hold" in out


def test_nobody_elses_code_is_taken_from_a_receipt(tmp_path: Path) -> None:
    """4·10 = 40 products; the file then says 4·20 = 80, and its evidence is still there."""
    claims = tmp_path / "claims.toml"
    (tmp_path / "net.py").write_text(MODEL.format(out=10), encoding="utf-8")
    claims.write_text(CLAIMS.format(macs=40), encoding="utf-8")
    assert audit(str(claims), "--trust", "--save", cwd=tmp_path)[0] == 0
    assert evidence_path(tmp_path, "linear").is_file()
    (tmp_path / "net.py").write_text(MODEL.format(out=20), encoding="utf-8")
    code, out, _ = audit(str(claims), "--trust", cwd=tmp_path)
    assert code == 1
    assert "80" in out


def test_evidence_by_other_rules_is_not_used(tmp_path: Path) -> None:
    entry = ENTRIES["mobilenet_v1"]
    kept = read(evidence_path(ROOT, "mobilenet_v1"))
    write_receipt(
        evidence_path(tmp_path, "mobilenet_v1"),
        document(replace(kept, rules={**kept.rules, "macs": "0" * 64})),
    )
    found, why = from_receipt(entry, tmp_path)
    assert found is None
    assert "older rules (macs)" in why


def test_without_evidence_nothing_is_judged_and_the_reason_says_what_to_do(tmp_path: Path) -> None:
    found = audit_document(
        shipped_claims(), lambda entry: from_receipt(entry, tmp_path), lambda *_: None
    )
    assert found["totals"]["unjudged"] == found["totals"]["claims"]
    why = claim(found, "mobilenet_v1", "macs", "569M")["explanation"]
    assert why == "not recounted yet: micronet audit --save"


def test_a_target_needs_one_entry() -> None:
    code, out, err = audit("--model", "torchvision:resnet18")
    assert (code, out) == (2, "")
    assert err.count("\n") == 2
    assert "--entry NAME" in err


def test_an_unknown_name_gets_two_lines() -> None:
    code, out, err = audit("dnw_x999")
    assert (code, out) == (2, "")
    assert err.startswith("micronet: Nothing to audit: no claims about dnw_x999.")
    assert err.count("\n") == 2


def test_markdown_is_the_same_audit() -> None:
    code, out, _ = audit("resnet50_dnw_10", "--format", "markdown")
    assert code == 1
    assert out.startswith("# Audit\n")
    assert "**0.977647**" in out


EXIT = """import torch

class Exit(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Linear(3, 4, bias=False)
        self.second = torch.nn.Linear(4, 5, bias=False)

    def forward(self, x):
        y = self.first(x.mean((2, 3)))
        return y if x.mean() > 0 else self.second(y)

def make():
    return Exit()
"""


def test_an_early_exit_is_counted_as_the_mean_over_real_images(tmp_path: Path) -> None:
    """Three white images leave after 3·4 = 12 products, a black one after 12 + 4·5: (3·12 + 32) / 4 = 17."""
    (tmp_path / "net.py").write_text(EXIT, encoding="utf-8")
    claims = CLAIMS.format(macs=17).replace("input = [1, 4]\n", "input = [1, 3, 224, 224]\n")
    (tmp_path / "claims.toml").write_text(claims, encoding="utf-8")
    for name, level in (("a", 255), ("b", 255), ("c", 255), ("d", 0)):
        (tmp_path / "images" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), (level,) * 3).save(tmp_path / "images" / name / "x.png")
    code, out, err = audit(
        "claims.toml", "--trust", "--calibrate", "images", "--json", cwd=tmp_path
    )
    assert (code, err) == (0, "")
    found = claim(json.loads(out), "linear", "macs", "17")
    assert (found["verdict"], found["dialect"]) == ("holds", "macs, mean over the examples")


def test_a_network_of_another_name_or_size_is_no_shipped_one() -> None:
    """A claims file may call its own network "mobilenet_v1_0.25", or want a card at another size."""
    shipped = ENTRIES["mobilenet_v1_0.25"]
    assert from_receipt(shipped, ROOT)[0] is not None
    other = replace(shipped, config={"width": 0.5})
    assert from_receipt(other, ROOT)[0] is None
    card = ENTRIES["mobilenet_v1"]
    assert from_receipt(replace(card, input=(1, 3, 128, 128)), ROOT)[0] is None
    assert from_receipt(replace(card, track="cifar100"), ROOT)[0] is None


def test_the_evidence_about_an_entry_is_not_that_about_a_card_of_its_name() -> None:
    """Theirs, rebuilt untrained, and ours, which we trained, are both called tiny_static_dnw."""
    shipped = ENTRIES["tiny_static_dnw"]
    assert from_receipt(shipped, ROOT)[0] is not None
    ours = replace(shipped, card="tiny_static_dnw", architecture=None, config=None)
    found, why = from_receipt(ours, ROOT)
    assert found is None
    assert why == "tiny_static_dnw.evidence.json is about another network: micronet audit --save"
