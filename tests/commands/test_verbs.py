"""`list`, `show`, `build` and `fetch`: what they say, with the work itself done by a stand-in."""

from __future__ import annotations

import hashlib
import json
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from micronet.checkpoints.card import Card, card, cards
from micronet.commands import build, fetch, show
from micronet.commands import list as listing
from micronet.commands.presence import presence

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTENT = b"weights" * 200
SHA256 = hashlib.sha256(CONTENT).hexdigest()
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for checkpoints."""
    folder = tmp_path / "checkpoints"
    monkeypatch.setenv("MICRONET_CHECKPOINTS", str(folder))
    monkeypatch.setenv("COLUMNS", "100")
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, shelf: Path) -> dict[str, Any]:
    """What the stand-ins of ``build_checkpoint`` and ``fetch_checkpoint`` were asked for."""
    calls: dict[str, Any] = {}

    def build_checkpoint(card: Card, out: Path | None, *, seed: int | None) -> Path:
        calls.update(card=card.name, out=out, seed=seed)
        return written(out or shelf / f"{card.name}.pt")

    def fetch_checkpoint(
        card: Card, *, progress: Callable[[int, int | None], None], out: Path | None, **where: Any
    ) -> Path:
        calls.update(card=card.name, out=out, **where)
        progress(7, None)
        progress(1400, 1400)
        return written(out or shelf / f"{card.name}.pt")

    for name, function in (("build", build_checkpoint), ("fetch", fetch_checkpoint)):
        module = ModuleType(f"micronet.checkpoints.{name}")
        setattr(module, function.__name__, function)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return calls


def written(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(CONTENT)
    return path


def test_the_list_has_a_table_a_track_and_one_line_a_card(capsys: Capture) -> None:
    assert listing.run(json=False) == 0
    found = {}
    for table in capsys.readouterr().out.split("\n\n"):
        title, columns, _, *rows = table.splitlines()
        found[title] = [row.split()[0] for row in rows]
        assert ("claims" in columns) == ("no track" not in title)
    tracks = ("imagenet", "cifar100", "wikitext103", "cifar10")
    names = [[each.name for each in cards() if each.track == track] for track in tracks]
    titles = [*tracks[:3], "cifar10, no track of the challenge"]
    assert list(found.items()) == list(zip(titles, names, strict=True))
    assert all(names)
    assert sum(map(len, names)) == len(cards())


def test_the_list_as_json_is_by_name_and_has_numbers_for_claims(capsys: Capture) -> None:
    assert listing.run(json=True) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == [each.name for each in cards()]
    macs = {claim["quantity"]: claim for claim in rows["mnv1_582M"]["claims"]}["macs"]
    assert macs == {
        "quantity": "macs",
        "stated": "582M",
        "unit": "multiply-accumulates",
        "value": 582_000_000,
    }
    assert rows["mnv1_582M"]["here"] is None


def test_presence_tells_built_from_fetched(shelf: Path) -> None:
    assert presence("dnw_x225") is None
    written(shelf / "dnw_x225.pt")
    assert presence("dnw_x225") == "built"
    (shelf / "dnw_x225.sha256").write_text(f"{SHA256}  dnw_x225.pt\n", encoding="utf-8")
    assert presence("dnw_x225") == "fetched"


@pytest.mark.parametrize("name", [each.name for each in cards()])
def test_show_leaves_nothing_of_a_card_out(name: str, capsys: Capture) -> None:
    assert show.run(name, json=False) == 0
    shown = capsys.readouterr().out
    one = card(name)
    facts = [one.title, one.architecture, one.track, one.rules, one.licence, one.paper.url]
    facts += [str(value) for table in (one.config, one.recipe) for value in table.values()]
    facts += [claim.stated for claim in one.claims] + [claim.where for claim in one.claims]
    facts += [source.url for source in one.sources if source.url] + list(one.notes)
    facts += [source.sha256 for source in one.sources if source.sha256]
    assert [fact for fact in facts if fact not in shown] == []


def test_show_as_json_is_the_card(capsys: Capture) -> None:
    assert show.run("resnet50_dnw_10", json=True) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["config"] == dict(card("resnet50_dnw_10").config)
    assert shown["prune_rate"] == 0.9
    assert shown["here"] is None


def test_build_says_where_how_big_and_that_it_is_untrained(
    asked: dict[str, Any], shelf: Path, capsys: Capture
) -> None:
    assert build.run("mnv1_582M", out=None, seed=7, json=False) == 0
    assert asked == {"card": "mnv1_582M", "out": None, "seed": 7}
    assert capsys.readouterr().out.splitlines() == [
        f"{shelf / 'mnv1_582M.pt'}  1.4 kB",
        f"sha256 {SHA256}",
        "untrained: costs are exact, accuracy unknown",
    ]


def test_build_as_json(asked: dict[str, Any], tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "x.pt"
    assert build.run("mnv1_582M", out=out, seed=None, json=True) == 0
    assert asked["out"] == out
    assert json.loads(capsys.readouterr().out) == {
        "path": str(out),
        "bytes": len(CONTENT),
        "sha256": SHA256,
        "weights": "untrained",
    }


def test_fetch_passes_its_options_on_and_keeps_progress_off_stdout(
    asked: dict[str, Any], tmp_path: Path, capsys: Capture
) -> None:
    source = tmp_path / "copy.pt"
    assert fetch.run("dnw_x225", from_file=source, url=None, out=None, json=True) == 0
    assert asked == {"card": "dnw_x225", "from_file": source, "url": None, "out": None}
    assert json.loads(capsys.readouterr().out)["sha256"] == SHA256


def test_fetch_shows_the_file(asked: dict[str, Any], shelf: Path, capsys: Capture) -> None:
    assert fetch.run("dnw_x225", from_file=None, url="https://x.org/y", out=None, json=False) == 0
    assert asked["url"] == "https://x.org/y"
    assert capsys.readouterr().out.startswith(f"{shelf / 'dnw_x225.pt'}  1.4 kB\n")
