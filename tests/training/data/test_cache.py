"""Decoded pixels are kept, and used only while they are those of the files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from micronet.training.data import cache as cache_module
from micronet.training.data.open import open_training
from tests.evaluation.pictures import encoded
from tests.training.data.tiny import tiny

if TYPE_CHECKING:
    from tests.training.data.conftest import Deal


@pytest.fixture
def root(deal: Deal, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten images, which count as many here."""
    monkeypatch.setattr(cache_module, "FEW", 10)
    return deal("train", 10, "ab")


def opened(root: Path) -> tuple[bool, str]:
    """Whether images had to be decoded, and the fingerprint, which covers the pixels."""
    heard: list[int] = []
    data = open_training(root, size=8, progress=lambda done, _: heard.append(done))
    return bool(heard), data.train.fingerprint


def test_the_second_start_decodes_nothing_and_gives_the_same(root: Path, cache: Path) -> None:
    decoded, first = opened(root)
    [kept] = cache.iterdir()
    assert (decoded, kept.suffix) == (True, ".npy")
    assert opened(root) == (False, first)
    first_image = np.asarray(tiny(0)).transpose(2, 0, 1)
    assert np.load(kept, allow_pickle=False)[0].tolist() == first_image.tolist()


def test_few_images_are_not_worth_a_file(deal: Deal, cache: Path) -> None:
    assert opened(deal("train", 10, "ab"))[0]
    assert not cache.exists()


def test_what_changed_is_decoded_again_and_what_is_old_is_removed(root: Path, cache: Path) -> None:
    """As many bytes, and dates set back, as after unpacking: the time of the change tells."""
    path = root / "train" / "a" / "00000.png"
    times = path.stat()
    _, before = opened(root)
    [old] = cache.iterdir()
    content = encoded(tiny(99), "PNG", compress_level=0)
    path.write_bytes(content)
    assert opened(root)[0]
    _, changed = opened(root)
    assert changed != before
    path.write_bytes(encoded(tiny(98), "PNG", compress_level=0))
    assert path.stat().st_size == len(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    decoded, again = opened(root)
    assert decoded
    assert again not in (before, changed)
    [kept] = cache.iterdir()
    assert kept != old


def test_another_folder_has_a_file_of_its_own(root: Path, cache: Path) -> None:
    opened(root)
    other = root.with_name("other")
    root.rename(other)
    assert opened(other)[0]
    assert len(list(cache.iterdir())) == 2
    assert not opened(other)[0]


@pytest.mark.parametrize(
    "damage", ["cut", "empty", "other shape", "other type", "columns", "pickle", "zip", "noise"]
)
def test_a_damaged_file_is_decoded_anew(damage: str, root: Path, cache: Path) -> None:
    _, expected = opened(root)
    [kept] = cache.iterdir()
    whole = np.load(kept, allow_pickle=False)
    if damage in ("cut", "empty", "noise"):
        content = {"cut": kept.read_bytes()[:-1], "empty": b"", "noise": b"\x93NUMPY" * 90}
        kept.write_bytes(content[damage])
    elif damage == "zip":
        with kept.open("wb") as file:
            np.savez(file, whole)
    else:
        other = {
            "other shape": whole.reshape(3, 10, 8, 8),
            "other type": whole.view(np.int8),
            "columns": np.asfortranarray(whole),
            "pickle": np.array([_Trap()], dtype=object),
        }
        with kept.open("wb") as file:
            np.save(file, other[damage], allow_pickle=True)
    assert opened(root) == (True, expected)
    assert opened(root) == (False, expected)


class _Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("a pickle was run",)


@pytest.mark.parametrize("place", ["file", "no home"])
def test_without_a_place_for_it_things_go_on(
    place: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place == "file":
        (tmp_path / "cache").write_text("not a folder")
    else:
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(Path, "home", _nowhere)
    first = opened(root)
    assert first[0]
    assert opened(root) == first


def _nowhere() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_an_image_that_cannot_be_used_leaves_nothing_in_the_cache(root: Path, cache: Path) -> None:
    (root / "train" / "b" / "00003.png").write_bytes(b"")
    with pytest.raises(Exception, match="00003"):
        opened(root)
    assert not cache.exists()


def test_writing_to_pixels_does_not_reach_the_cache(root: Path) -> None:
    _, expected = opened(root)
    pixels = open_training(root, size=8).train.pixels
    assert pixels is not None
    pixels.zero_()
    assert opened(root) == (False, expected)
