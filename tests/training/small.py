"""A run small enough for a test: the tiny static classifier with fewer nodes, a hundred images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from micronet.checkpoints.card import load_card
from micronet.training.folder import RunFolder
from micronet.training.recipe import recipe_of
from micronet.training.run import Order, prepare
from micronet.training.team import Team

if TYPE_CHECKING:
    from pathlib import Path

    from micronet.training.loop import Trainer

TRAIN, TEST, CLASSES = 90, 20, 10
BATCH = 24  # 90 images make four batches, the last one of 18

CARD = """
name = "small"
title = "A tiny static classifier, smaller still"
architecture = "{architecture}"
track = "cifar10"
rules = "micronet2019"
input = [1, 3, 32, 32]
weights = "never released"
licence = "Apache-2.0"
claims = []

[config]
{config}

[paper]
title = "Discovering Neural Wirings"
authors = "Mitchell Wortsman, Ali Farhadi, Mohammad Rastegari"
year = 2019
url = "https://arxiv.org/abs/1906.00586"

[preprocessing]
interpolation = "none"
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]

[recipe]
batch_size = {batch}
learning_rate = 0.1
schedule = "cosine, per iteration"
epochs = 3
{recipe}
"""
TINY = "dim = 232\nedges = 900\nsteps = 3\nclasses = 10"


def images(folder: Path) -> Path:
    """A hundred striped images, in train/ and test/: five widths, across or down, are ten classes."""
    rng = np.random.default_rng(7)
    for split, count in (("train", TRAIN), ("test", TEST)):
        for number in range(count):
            label = number % CLASSES
            pixels = rng.integers(0, 60, (32, 32, 3))
            pixels[np.arange(32) // (1 + label % 5) % 2 == 0] += 180
            pixels = pixels if label < 5 else pixels.transpose(1, 0, 2)
            path = folder / split / f"class{label}" / f"{number:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    return folder


def card_file(
    folder: Path, recipe: str = "", *, architecture: str = "tiny_static", config: str = TINY
) -> Path:
    """A card of a small network; ``recipe`` is more of its recipe, as lines of TOML."""
    path = folder / "small.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        CARD.format(architecture=architecture, config=config, recipe=recipe, batch=BATCH)
    )
    return path


def order_of(data: Path, out: Path, recipe: str = "", *, seed: int = 1, **changes: Any) -> Order:
    """What `micronet train` makes of such a card."""
    card = load_card(card_file(out, recipe))
    return Order(card, recipe_of(card, changes), data, seed, RunFolder(out, card.name))


def trainer_of(
    data: Path, out: Path, recipe: str = "", *, seed: int = 1, **changes: Any
) -> Trainer:
    """A trainer before its first step."""
    return prepare(order_of(data, out, recipe, seed=seed, **changes), Team())
