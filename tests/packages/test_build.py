"""What is in a package: the documents agree with the score, and other tools read them."""

from __future__ import annotations

import csv
import hashlib
import importlib
import io
import json
import re
import subprocess
import tomllib
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import torch
from torch import nn

from micronet import cli
from micronet.checkpoints.target import load_target
from micronet.errors import MicronetError
from micronet.packages import environment, names
from micronet.packages.build import Order, build
from micronet.packages.manifest import package_schema
from tests.packages.made import document, members_of, tiny_checkpoint, weights_of

if TYPE_CHECKING:
    Capture = pytest.CaptureFixture[str]

ROOT = Path(__file__).resolve().parents[2]
FACTORY = """
import torch
from torch import nn

def net():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 100)
    )
"""


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with somebody's network, net.py:net, and its weights, w.pth."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(FACTORY)
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 1)]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 100))
    weights_of(model, tmp_path / "w.pth")
    return tmp_path


def package(*words: object) -> int:
    return cli.main([str(word) for word in ("package", *words)])


def read(path: Path) -> bytes:
    return path.read_bytes()


def test_its_files_are_these(tiny: bytes) -> None:
    """No script: a language model takes no images. No evaluation: none was measured."""
    assert list(members_of(tiny)) == [
        "CITATION.cff", "LICENSE", "README.md", "SHA256SUMS", "checkpoint.pt", "environment.json",
        "layers.csv", "manifest.json", "score.json",
    ]  # fmt: skip


def test_the_manifest_has_its_schema_and_every_file(tiny: bytes) -> None:
    manifest = document(tiny, names.MANIFEST)
    jsonschema.validate(manifest, package_schema())
    files = {row["path"]: row for row in manifest["files"]}
    members = members_of(tiny)
    assert set(files) == set(members) - {names.MANIFEST, names.CHECKSUMS}
    for name, row in files.items():
        assert row["bytes"] == len(members[name])
        assert row["sha256"] == hashlib.sha256(members[name]).hexdigest()
        assert row["licence"]
    assert {row["purl"].split("@")[0] for row in manifest["components"]} == {
        f"pkg:pypi/{name}"
        for name in ("micronet-wirings", "torch", "torchvision", "numpy", "pillow")
    }


def test_sha256sum_checks_it(tmp_path: Path, tiny: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(tiny)) as made:
        made.extractall(tmp_path)
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.count(": OK\n")) == (0, 8)


def test_the_rows_of_layers_add_up_to_the_last_and_to_the_score(tiny: bytes) -> None:
    text = bytes(members_of(tiny)[names.LAYERS]).decode()
    *rows, total = csv.DictReader(io.StringIO(text))
    score = document(tiny, names.SCORE)
    assert total["name"] == "(total)"
    for column in ("multiplications", "additions", "other", "total", "storage_bits"):
        assert sum(Fraction(row[column]) for row in rows) == Fraction(total[column])
    assert int(total["storage_bits"]) == score["storage"]["bits"]
    assert Fraction(total["total"]) == Fraction(score["operations"]["total"])
    assert len(rows) == len(score["layers"])


def numbers_in(line: str) -> list[Fraction]:
    return [
        Fraction(each.replace(",", "")) for each in re.findall(r"[0-9][0-9,]*(?:\.[0-9]+)?", line)
    ]


def rows_under(text: str, head: str) -> list[list[Fraction]]:
    """The numbers of each row of the table below ``head``."""
    table = text.split(head)[1].split("\n\n", maxsplit=1)[0].splitlines()[2:]
    return [numbers_in(row.split("|", 2)[2]) for row in table]


def test_the_write_up_shows_sums_that_are_right(net: Path) -> None:
    assert package("--model", "net.py:net", "--weights", "w.pth", "--track", "cifar100",
                   "--input", "1,3,32,32", "-o", "e.zip") == 0  # fmt: skip
    content = read(net / "e.zip")
    text = bytes(members_of(content)[names.WRITE_UP]).decode()
    score = document(content, names.SCORE)
    *parts, [total] = rows_under(text, "| part | bits |")
    assert sum(part for [part] in parts) == total == score["storage"]["bits"]
    *rows, sums = rows_under(text, "| operator |")
    assert [sum(column) for column in zip(*rows, strict=True)] == sums
    # (4·27 + 4·4) products at each of 16·16 places, 4·100 in the classifier; the pool scales each
    times = (4 * 27 + 4 * 4) * 16 * 16 + 4 * 100 + 4
    line = next(line for line in text.splitlines() if " × 16/32 + " in line)
    m, sixteen, thirty_two, a, o, t = numbers_in(line)
    assert m == times
    assert m * sixteen / thirty_two + a + o == t
    assert t == Fraction(score["operations"]["total"])
    assert f"**{score['score']['total']:.4f}**" in text
    assert "Scoring §1 ¶1-3" in text
    assert "Scoring §2" in text


def test_a_write_up_survives_names_that_are_markup(tmp_path: Path) -> None:
    loaded = load_target(str(tiny_checkpoint(tmp_path / "tiny.pt")))
    made = build(
        Order(loaded, "wikitext103", "micronet2019", authors=("A | B", "C\n# D\x1b[2J"))
    ).content
    text = bytes(members_of(made)[names.WRITE_UP]).decode()
    assert "| authors | A \\| B, C\\n# D\\x1b[2J |" in text


def test_the_citation_names_authors_and_paper(tiny: bytes, tmp_path: Path) -> None:
    yaml = importlib.import_module("yaml")  # it ships no types
    found = yaml.safe_load(bytes(members_of(tiny)[names.CITATION]))
    assert (found["title"], found["authors"]) == ("tiny: tiny", [{"name": "unknown"}])
    loaded = load_target(str(tiny_checkpoint(tmp_path / "lstm_wikitext103.pt")))
    assert loaded.card is not None
    made = build(Order(loaded, "wikitext103", "micronet2019", authors=('Ada "A" O',))).content
    cited = yaml.safe_load(bytes(members_of(made)[names.CITATION]))
    assert cited["authors"] == [{"name": 'Ada "A" O'}]
    assert cited["references"][0]["title"] == loaded.card.paper.title


def test_the_environment_is_the_projects_not_the_machines(tiny: bytes) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = document(tiny, names.ENVIRONMENT)
    needed = dict(re.findall(r"^([a-z-]+)(.*)$", "\n".join(project["dependencies"]), re.MULTILINE))
    assert found["packages"] == {name: needed[name] for name in found["packages"]}
    assert found["python"] == project["requires-python"]
    assert found["packages"] == environment.REQUIRED


def test_a_native_checkpoint_is_packed_as_it_is(tmp_path: Path, tiny: bytes) -> None:
    path = tiny_checkpoint(tmp_path / "tiny.pt")
    assert members_of(tiny)[names.CHECKPOINT] == read(path)


def test_weights_in_another_form_come_back_exactly(net: Path) -> None:
    words = ("--model", net / "net.py:net", "--weights", "w.pth", "--track", "cifar100")
    assert package(*words, "-o", "e.zip") == 0
    (net / "checkpoint.pt").write_bytes(members_of(read(net / "e.zip"))[names.CHECKPOINT])
    again = load_target(None, model="net.py:net", weights=net / "checkpoint.pt").model.state_dict()
    saved: dict[str, Any] = torch.load(net / "w.pth", weights_only=True)
    assert set(again) == set(saved)
    assert all(torch.equal(again[name], tensor) for name, tensor in saved.items())


def test_no_folder_of_the_machine_is_in_a_package(net: Path) -> None:
    words = ("--model", net / "net.py:net", "--weights", net / "w.pth", "--track", "cifar100")
    assert package(*words, "-o", net / "e.zip") == 0
    content = read(net / "e.zip")
    assert str(net).encode() not in content
    assert b"/tmp" not in content
    assert document(content, names.MANIFEST)["statement"]["model"] == "net.py:net"
    assert members_of(content)["code/net.py"] == FACTORY.encode()


def test_sources_approach_and_licence_are_packed(net: Path, capsys: Capture) -> None:
    (net / "quantise.py").write_text("BITS = 4\n")
    (net / "why.md").write_text("Because.\n")
    (net / "my-licence.txt").write_text("Do as you like.\n")
    assert package(
        *("--model", "net.py:net", "--weights", "w.pth", "--track", "cifar100", "-o", "e.zip"),
        *("--code", "quantise.py", "--code", "net.py", "--approach", "why.md"),
        *("--licence", "my-licence.txt", "--author", "Ada", "--author", "Grace", "--json"),
    ) == 0  # fmt: skip
    content = read(net / "e.zip")
    members = members_of(content)
    sources = [name for name in members if name.startswith("code/")]
    assert sources == ["code/inference.py", "code/net.py", "code/quantise.py"]
    assert members[names.APPROACH] == b"Because.\n"
    assert members[names.LICENCE] == b"Do as you like.\n"
    assert document(content, names.MANIFEST)["statement"]["authors"] == ["Ada", "Grace"]
    shown = json.loads(capsys.readouterr().out)
    assert shown["sha256"] == hashlib.sha256(content).hexdigest()
    assert shown["files"] == len(members)
    assert cli.main(["verify", "e.zip", "--model", "net.py:net"]) == 0


MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing": ((), "Nothing to package"),
    "no weights here": (("resnet50_dnw_10",), "there are no weights here"),
    "an architecture alone": (("--model", "torchvision:resnet18"), "there are no weights here"),
    "another score": (("tiny.pt", "--rules", "macs"), "'macs' is no reading of the challenge's"),
    "the authors' counter": (("tiny.pt", "--rules", "dnw-release"), "is no reading of"),
    "no such track": (("tiny.pt", "--track", "mnist"), "no track 'mnist'"),
    "no track": (("tiny.pt", "--track", "cifar10"), "cifar10 is no track of the challenge"),
    "no receipt": (("tiny.pt", "--evaluation", "x.json"), "x.json: cannot be read"),
    "a receipt that is none": (("tiny.pt", "--evaluation", "bad.json"), "no evaluation receipt"),
    "no source": (("tiny.pt", "--code", "x.py"), "x.py: cannot be read"),
    "a name that is none": (("tiny.pt", "--code", "a b.py"), "a b.py"),
    "our script's name": (("tiny.pt", "--code", "inference.py"), "one file code/inference.py"),
    "no place": (("tiny.pt", "-o", "bad.json/e.zip"), "cannot be written"),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_gets_two_lines_and_leaves_nothing(
    mistake: tuple[tuple[str, ...], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MICRONET_CHECKPOINTS", str(tmp_path / "none"))
    tiny_checkpoint(tmp_path / "tiny.pt")
    (tmp_path / "none").mkdir()
    for name in ("bad.json", "a b.py", "inference.py"):
        (tmp_path / name).write_text("{}")
    before = sorted(tmp_path.iterdir())
    words, message = mistake
    track = () if "--track" in words else ("--track", "wikitext103")
    assert package("-o", "e.zip", *track, *words) == 2
    lines = capsys.readouterr().err.splitlines()
    assert message in lines[0]
    assert len(lines) <= 2
    assert sorted(tmp_path.iterdir()) == before


def test_an_exported_program_is_not_packed(tmp_path: Path) -> None:
    program = torch.export.export(nn.Linear(2, 2), (torch.zeros(1, 2),))
    path = tmp_path / "net.pt2"
    torch.export.save(program, path)
    loaded = load_target(str(path), trust=True)
    with pytest.raises(MicronetError, match="an exported program is executed to be read"):
        build(Order(loaded, "imagenet", "micronet2019"))
