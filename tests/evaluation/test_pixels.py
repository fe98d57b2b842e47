"""Pixels are torchvision's, bit for bit; a file that is no image is refused, whatever it is."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import datasets, models, transforms
from torchvision.transforms import InterpolationMode

from micronet.checkpoints.card import Preprocessing
from micronet.checkpoints.loaded import LoadedTarget
from micronet.evaluation.data.files import IMAGE_SUFFIXES
from micronet.evaluation.pixels import DECODERS, UnreadableError, normalised, pixels
from micronet.evaluation.preprocessing import chosen_preprocessing
from micronet.evaluation.run import warnings_of_pillow
from micronet.models import InputSpec
from tests.evaluation import hostile
from tests.evaluation.pictures import encoded, picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor
    from torchvision.models import WeightsEnum

DATA = os.environ.get("MICRONET_TEST_DATA")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HABIT = Preprocessing(256, 224, "bilinear", MEAN, STD)
LOOKS = {
    "shorter side": HABIT,
    "bicubic": replace(HABIT, resize=235, interpolation="bicubic"),
    "nearest": replace(HABIT, interpolation="nearest"),
    "whole image": replace(HABIT, resize=(224, 160), crop=None),
    "height and width": replace(HABIT, resize=(99, 201), interpolation="bicubic", crop=None),
    "no resize": replace(HABIT, resize=None, interpolation="none"),
    "nothing": replace(HABIT, resize=None, crop=None, interpolation="none"),
    "black border": replace(HABIT, resize=100, crop=224),
    "odd border": replace(HABIT, resize=(31, 47), crop=224),
    "other colours": replace(HABIT, mean=(0.1, 0.2, 0.3), std=(1 / 3, 0.7, 1e-3)),
}
WHOLE, BROKEN = hostile.whole(), hostile.broken()


@pytest.fixture(autouse=True)
def _as_in_a_run() -> Iterator[None]:
    with warnings_of_pillow():
        yield


def entering(data: bytes | Image.Image, look: Preprocessing) -> Tensor:
    """What enters the network."""
    return normalised([pixels(data, look, "pil")], look)[0]


def reference(path: Path, look: Preprocessing) -> Tensor:
    """What torchvision's loop gives for this file."""
    mode = InterpolationMode("bilinear" if look.interpolation == "none" else look.interpolation)
    steps: list[Any] = []
    if look.resize is not None:
        steps.append(transforms.Resize(look.resize, mode))
    if look.crop is not None:
        steps.append(transforms.CenterCrop(look.crop))
    steps += [transforms.ToTensor(), transforms.Normalize(look.mean, look.std)]
    made: Tensor = transforms.Compose(steps)(datasets.folder.pil_loader(str(path)))
    return made


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_made_up_pictures_enter_as_torchvision_gives_them(
    look: Preprocessing, tmp_path: Path
) -> None:
    for width, height, kind in itertools.product((1, 224, 301), (1, 225, 400), ("PNG", "JPEG")):
        if width * height == 1 or min(width, height) > 1:
            path = tmp_path / f"{width}x{height}.{kind}"
            path.write_bytes(encoded(picture(width + height, width, height), kind))
            assert torch.equal(entering(path.read_bytes(), look), reference(path, look))


@pytest.mark.skipif(DATA is None, reason="MICRONET_TEST_DATA is not set")
@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_photographs_enter_as_torchvision_gives_them(look: Preprocessing) -> None:
    photos = sorted((Path(str(DATA)) / "imagenet-cc" / "val").rglob("*.jpg"))
    assert len(photos) == 1000
    for path in photos[::100]:
        assert torch.equal(entering(path.read_bytes(), look), reference(path, look))


def test_a_batch_enters_as_its_images_do(tmp_path: Path) -> None:
    paths = [tmp_path / f"{seed}.png" for seed in range(5)]
    for seed, path in enumerate(paths):
        path.write_bytes(encoded(picture(seed), "PNG"))
    batch = normalised([pixels(path.read_bytes(), HABIT, "pil") for path in paths], HABIT)
    assert batch.dtype == torch.float32
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch, torch.stack([reference(path, HABIT) for path in paths]))


def test_bare_pixels_enter_as_the_image_that_they_are(tmp_path: Path) -> None:
    path = tmp_path / "32.png"
    path.write_bytes(encoded(picture(7, 32, 32), "PNG"))
    assert torch.equal(entering(picture(7, 32, 32), HABIT), reference(path, HABIT))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("resize", [40, 300, (64, 50)])
def test_without_antialias_it_is_torchvisions_resize_of_tensors(
    interpolation: str, resize: int | tuple[int, int]
) -> None:
    look = replace(HABIT, resize=resize, crop=32, interpolation=interpolation, antialias=False)
    data = encoded(picture(3, 120, 90), "PNG")
    steps = [
        transforms.PILToTensor(),
        transforms.Resize(resize, InterpolationMode(interpolation), antialias=False),
        transforms.CenterCrop(32),
        transforms.ConvertImageDtype(torch.float32),
        transforms.Normalize(MEAN, STD),
    ]
    expected = transforms.Compose(steps)(picture(3, 120, 90))
    assert torch.equal(entering(data, look), expected)


def _published() -> list[WeightsEnum]:
    """Torchvision's weights for images and 1,000 classes."""
    names = models.list_models(module=models)
    found = [entry for name in names for entry in models.get_model_weights(name)]
    return [entry for entry in found if len(entry.meta.get("categories") or ()) == 1000]


def test_all_of_torchvisions_presets_are_understood(tmp_path: Path) -> None:
    """Each entry's own transform and ours give the same for one picture."""
    path = tmp_path / "picture.jpg"
    path.write_bytes(encoded(picture(5, 500, 375), "JPEG"))
    image = datasets.folder.pil_loader(str(path))
    entries = {str(entry): entry for entry in _published()}
    assert len(entries) > 90
    for name, entry in entries.items():
        look, source = chosen_preprocessing(_loaded(entry))
        assert source == f"torchvision {name}"
        assert torch.equal(entering(path.read_bytes(), look), entry.transforms()(image)), name


def _loaded(entry: WeightsEnum) -> LoadedTarget:
    """The architecture of ``entry`` with the file that torchvision publishes for it."""
    name = next(
        each
        for each in models.list_models(module=models)
        if entry in models.get_model_weights(each)
    )
    digits = entry.url.rpartition("-")[2].removesuffix(".pth")
    side = entry.transforms().crop_size[0]
    return LoadedTarget(
        name=name,
        path=None,
        sha256=digits.ljust(64, "0"),
        architecture=f"torchvision:{name}",
        config={},
        weights="trained",
        model=torch.nn.Identity(),
        inputs=InputSpec((1, 3, side, side)),
        card=None,
        notes=(),
    )


@pytest.mark.parametrize("name", WHOLE)
def test_an_odd_image_enters_as_torchvision_gives_it(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(WHOLE[name])
    assert torch.equal(entering(WHOLE[name], HABIT), reference(path, HABIT))


def test_an_exif_rotation_is_not_applied() -> None:
    """40 wide and 48 high, though the file asks to turn it."""
    look = replace(HABIT, resize=None, crop=None, interpolation="none")
    assert pixels(WHOLE["exif-rotated.jpg"], look, "pil").shape == (48, 40, 3)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("name", WHOLE)
def test_every_decoder_gives_bytes_of_the_right_size(name: str, decoder: str) -> None:
    found = pixels(WHOLE[name], HABIT, decoder)
    assert found.shape == (224, 224, 3)
    assert found.dtype == np.dtype(np.uint8)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_image_is_refused_with_a_reason(name: str, decoder: str) -> None:
    data, reason = BROKEN[name]
    if decoder == "torchvision" and name == "truncated.jpg":
        reason = "Image is incomplete or truncated"
    with pytest.raises(UnreadableError) as caught:
        pixels(data, HABIT, decoder)
    assert str(caught.value).startswith(reason)
    assert 0 < len(str(caught.value)) <= 200
    assert " at 0x" not in str(caught.value)  # nothing of this moment is in the reason


REFUSED_BY_US = {"narrow.png", "narrowest.png", "flat.png", "postscript.jpg"}


def test_what_we_refuse_torchvision_refuses_too(tmp_path: Path) -> None:
    """But for strips and PostScript, which it would spend gigabytes on, or run."""
    path = tmp_path / "image"
    for name, (data, _) in BROKEN.items():
        if name not in REFUSED_BY_US:
            path.write_bytes(data)
            with pytest.raises(
                (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning)
            ):
                reference(path, HABIT)


MEASURE = """
import resource
from micronet.checkpoints.card import Preprocessing
from micronet.evaluation.pixels import DECODERS, UnreadableError, pixels
from micronet.evaluation.run import warnings_of_pillow
import pathlib, sys
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
look = Preprocessing(256, 224, "bilinear", (0.5,) * 3, (0.5,) * 3)
with warnings_of_pillow():
    files = sorted(pathlib.Path(sys.argv[1]).iterdir())
    for decoder in DECODERS:
        pixels(files[0].read_bytes(), look, decoder)
    before = peak()
    for path in files[1:]:
        for decoder in DECODERS:
            try:
                pixels(path.read_bytes(), look, decoder)
            except UnreadableError:
                print(path.name, decoder, peak() - before)
"""


def test_no_bomb_takes_memory(tmp_path: Path) -> None:
    """Less than 200 MB for files that claim up to 13 GB; 64 of them are Pillow's for texts."""
    (tmp_path / "0.jpg").write_bytes(encoded(picture(1), "JPEG"))
    bombs = hostile.bombs()
    for name, (data, _) in bombs.items():
        assert len(data) < 2**18, name
        (tmp_path / f"bomb-{name}").write_bytes(data)
    command = [sys.executable, "-W", "error", "-c", MEASURE, str(tmp_path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    rows = [line.split() for line in said.stdout.splitlines()]
    assert len(rows) == len(bombs) * len(DECODERS)
    assert [row for row in rows if int(row[2]) > 200] == []
    assert said.stderr == ""


def test_postscript_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = tmp_path / "ran"
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {ran}\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(UnreadableError):
        pixels(BROKEN["postscript.jpg"][0], HABIT, "pil")
    assert not ran.exists()


def test_every_kind_of_file_that_counts_as_an_image_can_be_read(tmp_path: Path) -> None:
    for suffix in IMAGE_SUFFIXES:
        path = tmp_path / f"picture{suffix}"
        image = picture(1).convert("L") if suffix == ".pgm" else picture(1)
        image.save(path)
        assert torch.equal(entering(path.read_bytes(), HABIT), reference(path, HABIT))


SEEDS = [encoded(picture(1, 96, 80), kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "PPM")]
EDITS = st.lists(st.tuples(st.integers(0, 2**20), st.binary(max_size=9)), min_size=1, max_size=6)


@settings(max_examples=300, deadline=None)
@given(seed=st.sampled_from(SEEDS), edits=EDITS, cut=st.integers(0, 2**20))
def test_a_damaged_file_is_an_image_or_refused(
    seed: bytes, edits: list[tuple[int, bytes]], cut: int
) -> None:
    """Nothing else is raised, and nothing is warned of."""
    data = bytearray(seed)
    for at, patch in edits:
        place = at % len(data)
        data[place : place + len(patch)] = patch
    data = data[: len(data) // 2 + cut % len(data)]
    with warnings.catch_warnings():
        try:
            found = pixels(bytes(data), replace(HABIT, resize=40, crop=32), "pil")
        except UnreadableError as error:
            assert str(error)  # noqa: PT017
        else:
            assert found.shape == (32, 32, 3)
