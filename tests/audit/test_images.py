"""Real images for the audit: which ones, and as the network sees them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from micronet.audit.images import images
from micronet.errors import MicronetError
from micronet.evaluation.data.open import open_dataset
from micronet.evaluation.pixels import normalised, pixels
from micronet.evaluation.preprocessing import chosen_preprocessing
from micronet.models import InputSpec
from tests.audit.watching import loaded
from tests.evaluation.pictures import class_folders

if TYPE_CHECKING:
    from pathlib import Path


def test_images_are_spread_over_the_classes_and_prepared_as_evaluate_does(tmp_path: Path) -> None:
    """40 pictures in the folders of 10 classes, in the order of their names: every tenth is taken."""
    target = replace(loaded(nn.Conv2d(3, 4, 1)), inputs=InputSpec((1, 3, 72, 72)))
    dataset = open_dataset(class_folders(tmp_path, 40))
    look, _ = chosen_preprocessing(target)
    found = list(images(target, tmp_path, 4))
    assert [dataset.examples[i].label for i in (0, 10, 20, 30)] == [0, 2, 5, 7]
    for i, image in zip((0, 10, 20, 30), found, strict=True):
        assert torch.equal(image, normalised([pixels(dataset.read(i), look, "pil")], look))
        assert image.shape == (1, 3, 72, 72)
    assert len(list(images(target, tmp_path, 99))) == 40


def test_images_come_in_the_type_of_the_weights(tmp_path: Path) -> None:
    target = replace(loaded(nn.Conv2d(3, 4, 1).half()), inputs=InputSpec((1, 3, 72, 72)))
    class_folders(tmp_path, 3)
    assert {image.dtype for image in images(target, tmp_path, 3)} == {torch.float16}


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    target = replace(loaded(nn.Conv2d(3, 4, 1)), inputs=InputSpec((1, 3, 72, 72)))
    (class_folders(tmp_path, 3) / "1" / "0001.png").write_bytes(b"no image")
    with pytest.raises(MicronetError, match=r"1/0001\.png: cannot be read as an image"):
        list(images(target, tmp_path, 3))
