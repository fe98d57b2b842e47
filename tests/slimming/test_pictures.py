"""Images as inputs: which are taken, how they are prepared, what is no image."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from PIL import Image

from micronet.checkpoints.card import Preprocessing, card
from micronet.checkpoints.target import LoadedTarget, load_target
from micronet.errors import MicronetError
from micronet.models import InputSpec
from micronet.slimming.pictures import pictures

if TYPE_CHECKING:
    from pathlib import Path

GREY = 51  # of 255: exactly 0.2
LOOK = Preprocessing(8, 4, "bilinear", (0.1, 0.2, 0.3), (0.5, 0.25, 0.125))


@pytest.fixture
def loaded() -> LoadedTarget:
    """A network of 4×4 images whose card says how to prepare them."""
    found = load_target(None, model="torchvision:squeezenet1_0", input_shape=(1, 3, 4, 4))
    return replace(found, card=replace(card("dnw_x225"), preprocessing=LOOK))


def grey(path: Path, size: tuple[int, int] = (16, 12)) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", size, (GREY, GREY, GREY)).save(path)


def test_the_first_eight_by_path_whatever_their_class(loaded: LoadedTarget, tmp_path: Path) -> None:
    for number in range(10):
        grey(tmp_path / f"n{number % 2}" / f"{number}.png")
    (tmp_path / "n0" / "notes.txt").write_text("no image", encoding="utf-8")
    found = pictures(loaded, tmp_path)
    assert [tuple(image.shape) for image in found] == [(1, 3, 4, 4)] * 8


def test_they_are_prepared_as_the_card_says(loaded: LoadedTarget, tmp_path: Path) -> None:
    """(0.2 − mean) / deviation: 0.1 / 0.5, 0 / 0.25, −0.1 / 0.125."""
    grey(tmp_path / "a.png")
    (image,) = pictures(loaded, tmp_path)
    expected = torch.tensor([0.2, 0.0, -0.8]).reshape(1, 3, 1, 1).expand(1, 3, 4, 4)
    torch.testing.assert_close(image, expected, rtol=0, atol=1e-6)


def test_without_a_card_torchvision_says_how(tmp_path: Path) -> None:
    grey(tmp_path / "a.png", (500, 300))
    plain = load_target(None, model="torchvision:squeezenet1_0")
    (image,) = pictures(plain, tmp_path)
    expected = torch.tensor([(0.2 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, (0.2 - 0.406) / 0.225])
    torch.testing.assert_close(image[0, :, 0, 0], expected)
    assert tuple(image.shape) == (1, 3, 224, 224)


def test_pictures_of_any_size_are_squashed_where_nothing_is_resized(tmp_path: Path) -> None:
    """CIFAR's images are 32×32; pictures that join a proof need not be."""
    grey(tmp_path / "a.png", (500, 300))
    small = load_target(None, model="torchvision:squeezenet1_0", input_shape=(1, 3, 32, 32))
    (image,) = pictures(small, tmp_path)
    assert tuple(image.shape) == (1, 3, 32, 32)
    assert image.is_contiguous()


def test_what_cannot_be_shown_says_so(loaded: LoadedTarget, tmp_path: Path) -> None:
    with pytest.raises(MicronetError, match="holds no image file"):
        pictures(loaded, tmp_path)
    with pytest.raises(MicronetError, match="is not a folder of images"):
        pictures(loaded, tmp_path / "nowhere")
    (tmp_path / "b.jpg").write_bytes(b"not a picture")
    with pytest.raises(MicronetError, match=r"b\.jpg: is not an image"):
        pictures(loaded, tmp_path)
    words = replace(loaded, inputs=InputSpec((1, 7), "int64"))
    with pytest.raises(MicronetError, match=r"takes an input of \[1, 7\], not one colour image"):
        pictures(words, tmp_path)
