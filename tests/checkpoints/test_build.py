"""Building a card's wiring: seeded, marked untrained, the same bytes each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from micronet import checkpoints
from micronet.checkpoints.build import build_checkpoint
from micronet.checkpoints.card import card
from micronet.checkpoints.formats import read_state_file
from micronet.checkpoints.target import load_target
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    known = card("mobilenet_v1")
    paths = [build_checkpoint(known, tmp_path / f"{i}.pt", seed=s) for i, s in enumerate((7, 7, 8))]
    first, second, other = [path.read_bytes() for path in paths]
    assert first == second
    assert first != other


def test_the_file_says_where_it_came_from(shelf_folder: Path) -> None:
    path = build_checkpoint(card("dnw_x225"), None, seed=None)
    assert path == shelf_folder / "dnw_x225.pt"
    meta = read_state_file(path).meta
    assert meta["architecture"] == "mobilenetv1_dnw"
    assert meta["config"] == card("dnw_x225").config
    assert {key: meta["provenance"][key] for key in ("weights", "card", "seed")} == {
        "weights": "untrained",
        "card": "dnw_x225",
        "seed": 2019,
    }


def test_what_was_built_is_what_the_card_gives(shelf_folder: Path) -> None:
    in_memory = load_target("dnw_x3")
    build_checkpoint(card("dnw_x3"), None, seed=None)
    from_file = load_target("dnw_x3")
    assert from_file.path == shelf_folder / "dnw_x3.pt"
    for name, tensor in in_memory.model.state_dict().items():
        assert torch.equal(from_file.model.state_dict()[name], tensor), name


def test_edges_that_a_mask_switches_off_are_not_stored(tmp_path: Path) -> None:
    """A random graph computes the same from the packed weights, in a tenth of the bytes."""
    path = build_checkpoint(card("rg_x225"), tmp_path / "rg.pt", seed=None)
    assert path.stat().st_size < 13_126_760 * 4 / 4
    loaded, fresh = load_target(str(path)), load_target("rg_x225")
    image = torch.rand(1, 3, 64, 64)
    assert torch.equal(loaded.model(image), fresh.model(image))


def test_fetched_weights_are_not_overwritten(shelf_folder: Path) -> None:
    shelf_folder.mkdir()
    (shelf_folder / "dnw_x3.sha256").write_text("0" * 64)
    with pytest.raises(MicronetError, match="holds fetched weights"):
        build_checkpoint(card("dnw_x3"), None, seed=None)


def test_the_folder_is_the_checkout_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MICRONET_CHECKPOINTS", raising=False)
    monkeypatch.setattr("micronet.shelf.folder", lambda _: tmp_path)
    assert checkpoints.checkpoints_dir() == tmp_path
    installed = tmp_path / "_shelf" / "checkpoints"
    installed.mkdir(parents=True)
    monkeypatch.setattr("micronet.shelf.folder", lambda _: installed)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert checkpoints.checkpoints_dir() == tmp_path / "cache" / "micronet" / "checkpoints"
    monkeypatch.setenv("MICRONET_CHECKPOINTS", str(tmp_path / "own"))
    assert checkpoints.checkpoints_dir() == tmp_path / "own"
    assert (tmp_path / "own").is_dir()


def test_a_folder_that_cannot_be_made_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MICRONET_CHECKPOINTS", str(tmp_path / "file" / "below"))
    with pytest.raises(MicronetError, match="cannot be made") as caught:
        checkpoints.checkpoints_dir()
    assert "MICRONET_CHECKPOINTS" in str(caught.value.next_step)


def test_the_package_knows_only_its_public_names() -> None:
    assert checkpoints.build_checkpoint is build_checkpoint
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = checkpoints.nothing
