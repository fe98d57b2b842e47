"""Weights that we trained: beside their card, pinned by it, never replaced, and nothing else shipped."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from micronet.checkpoints.build import build_checkpoint
from micronet.checkpoints.card import card, cards, load_card
from micronet.checkpoints.digest import sha256_of
from micronet.checkpoints.fetch import fetch_checkpoint
from micronet.checkpoints.folder import checkpoint_path
from micronet.checkpoints.target import load_target
from micronet.checkpoints.whereabouts import kept
from micronet.errors import MicronetError
from tests.checkpoints.trained import NAME, card_text, shelve, stand_in

if TYPE_CHECKING:
    from micronet.checkpoints.card import Card

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the one card on the shelf."""
    return shelve(tmp_path / "checkpoints", monkeypatch)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same as a wheel has it, with another folder for what is fetched or built."""
    file = shelve(tmp_path / "_shelf" / "checkpoints", monkeypatch)
    monkeypatch.setenv("MICRONET_CHECKPOINTS", str(tmp_path / "cache"))
    return file


def refused(known: Card, out: Path | None = None) -> MicronetError:
    with pytest.raises(MicronetError) as caught:
        build_checkpoint(known, out, seed=None)
    return caught.value


# --- it is found, and it is the one that the card pins -------------------------------------------


@pytest.mark.parametrize("place", ["path", "installed"])
def test_the_file_beside_the_card_is_its_weights(
    place: str, request: pytest.FixtureRequest
) -> None:
    file: Path = request.getfixturevalue(place)
    found = kept(card(NAME))
    assert found is not None
    assert (found.path, found.how) == (file, "shipped")
    loaded = load_target(NAME)
    assert (loaded.path, loaded.sha256, loaded.weights) == (file, sha256_of(file), "trained")
    assert (loaded.card, loaded.notes) == (card(NAME), ())


def test_it_is_told_by_its_bytes_wherever_it_lies(path: Path, tmp_path: Path) -> None:
    copy = shutil.copy(path, tmp_path / "whatever.pt")
    assert load_target(str(copy)).card == card(NAME)


@pytest.mark.parametrize(
    ("place", "remedy"),
    [
        ("path", "git -C {folder} checkout -- own.pt"),
        ("installed", "pip install --force-reinstall micronet-wirings"),
    ],
)
def test_another_file_in_its_place_is_refused(
    place: str, remedy: str, request: pytest.FixtureRequest
) -> None:
    file: Path = request.getfixturevalue(place)
    pinned = sha256_of(file)
    stand_in(file, seed=2)
    with pytest.raises(MicronetError) as caught:
        load_target(NAME)
    expected = f"{file}: sha256 {sha256_of(file)}, expected {pinned} (the card {NAME})."
    assert caught.value.message == expected
    assert caught.value.next_step == f"Get it again: {remedy.format(folder=file.parent)}"


def test_where_it_is_missing_the_wiring_is_built_and_the_note_says_how_to_get_it(
    path: Path,
) -> None:
    path.unlink()
    loaded = load_target(NAME)
    assert loaded.weights == "untrained"
    restore = f"git -C {path.parent} checkout -- own.pt"
    assert loaded.notes == (f"built untrained, seed 2019; the trained weights: {restore}",)
    with pytest.raises(MicronetError, match="come with micronet") as caught:
        fetch_checkpoint(card(NAME))
    assert caught.value.next_step == f"Get it: {restore}"


# --- nothing replaces it -------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["path", "installed"])
def test_an_untrained_wiring_does_not_take_its_place(
    place: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file: Path = request.getfixturevalue(place)
    before = file.read_bytes()
    error = refused(card(NAME))
    assert error.message.startswith(f"{file}: holds trained weights, an untrained wiring will not")
    assert error.next_step == "Write it elsewhere: micronet build own --out PATH"
    monkeypatch.chdir(file.parent)
    assert "holds trained weights" in refused(card(NAME), Path("own.pt")).message
    assert build_checkpoint(card(NAME), tmp_path / "other.pt").is_file()
    assert file.read_bytes() == before


def test_what_was_built_elsewhere_does_not_hide_it(installed: Path) -> None:
    build_checkpoint(card(NAME), checkpoint_path(NAME))
    assert checkpoint_path(NAME) != installed
    assert load_target(NAME).path == installed


def test_fetching_it_says_where_it_is_or_copies_it(path: Path, tmp_path: Path) -> None:
    assert fetch_checkpoint(card(NAME)) == path
    out = tmp_path / "copy.pt"
    assert fetch_checkpoint(card(NAME), out=out) == out
    assert out.read_bytes() == path.read_bytes()
    stand_in(path, seed=2)
    with pytest.raises(MicronetError, match=r"expected [0-9a-f]{64}"):
        fetch_checkpoint(card(NAME))


# --- the card and the file go together -----------------------------------------------------------


PIN = f'\n[[sources]]\nkind = "shipped"\nsha256 = "{"0" * 64}"\n'


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (PIN, "", "sources: found 0 of kind shipped, expected 1 for weights 'trained'"),
        (PIN, PIN + PIN, "sources: found 2 of kind shipped, expected 1 for weights 'trained'"),
        ('"trained"', '"baseline"', "sources: found 1 of kind shipped, expected 0"),
        (f'sha256 = "{"0" * 64}"\n', "", "sources[0].sha256: missing"),
        ('kind = "shipped"', 'kind = "shipped"\nurl = "https://x.org"', "sources[0].url: unknown"),
    ],
    ids=["no pin", "two pins", "a pin of other weights", "no digest", "an address"],
)
def test_a_trained_card_pins_one_file(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = card_text("0" * 64)
    assert old in text
    file = tmp_path / f"{NAME}.toml"
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(MicronetError) as caught:
        load_card(file)
    assert expected in caught.value.message


TRAINED = sorted(known.name for known in cards() if known.weights == "trained")


def test_every_shipped_file_is_the_pinned_one() -> None:
    for name in TRAINED:
        loaded = load_target(name)
        assert loaded.path == ROOT / "checkpoints" / f"{name}.pt"
        assert loaded.weights == "trained"
        assert card(name).licence == "Apache-2.0"


def test_git_lets_through_what_is_shipped_and_nothing_else() -> None:
    """The wheel carries the files in checkpoints/ that .gitignore lets through."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    let_through = [line for line in lines if line.startswith("!")]
    assert sorted(let_through) == [f"!/checkpoints/{name}.pt" for name in TRAINED]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout")
def test_what_is_shipped_is_under_version_control() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "checkpoints"],  # noqa: S607 - whichever git there is
        cwd=ROOT, check=True, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    files = [Path(line).name for line in listed.stdout.splitlines()]
    assert [name for name in files if not name.endswith(".toml")] == [f"{n}.pt" for n in TRAINED]
