"""The recipes on the shelf's cards: understood, complete, and with the papers' hyper-parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from micronet.checkpoints.card import card, cards
from micronet.training.methods.registry import METHODS
from micronet.training.recipe import COSINE, CROP_AND_FLIP, RESIZED_CROP, STEPS, recipe_of

if TYPE_CHECKING:
    from micronet.checkpoints.card import Card

Values = dict[str, Any]
TRAINED = [known for known in cards() if known.recipe]
ON_CIFAR10 = [known for known in TRAINED if known.track == "cifar10"]
PAPER: Values = {"epochs": 160, "learning_rate": 0.1, "momentum": 0.9, "weight_decay": 1e-4}
FAMILIES: dict[str, Values] = {
    "tiny": {"batch_size": 512, "schedule": STEPS, "milestones": [80, 120], "gamma": 0.1},
    "mobilenetv1": {"batch_size": 128, "schedule": COSINE, "milestones": []},
}
SHORT: dict[str, Values] = {
    "tiny": {"epochs": 20, "schedule": COSINE, "milestones": []},
    "mobilenetv1": {"epochs": 4},
}
TWICE = {"lottery_ticket": [0.1, 0.1], "fine_tune": [0.1, 0.01]}


def named(known: Card) -> str:
    return known.name


def test_there_are_recipes() -> None:
    assert len(TRAINED) == 31
    assert len(ON_CIFAR10) == 21


@pytest.mark.parametrize("known", TRAINED, ids=named)
def test_a_recipe_is_understood_and_leaves_nothing_that_matters_to_defaults(known: Card) -> None:
    recipe = recipe_of(known)
    assert {"method", "epochs", "batch_size", "train_transform", "source"} <= set(known.recipe)
    assert recipe.method in METHODS
    assert recipe.train_transform == (RESIZED_CROP if known.input[-1] == 224 else CROP_AND_FLIP)
    assert (recipe.schedule == STEPS) == bool(recipe.milestones)
    assert all(milestone < recipe.epochs for milestone in recipe.milestones)
    assert recipe.epochs % max(1, len(recipe.cycle_rates)) == 0


@pytest.mark.parametrize("known", TRAINED, ids=named)
def test_the_method_is_the_one_that_the_name_says(known: Card) -> None:
    """A wiring of ours is stored with its zeros, so a trained one is never a masked one."""
    words = known.name.removesuffix("_short").removeprefix("mobilenetv1_cifar10_")
    random = words.startswith("rg_") or words.endswith("random")
    word = words.replace("_", "-")
    expected = "random-graph" if random else word if word in METHODS else "dnw"
    assert recipe_of(known).method == expected
    assert known.track == "imagenet" or known.config["wiring"] == "dnw"


@pytest.mark.parametrize("known", ON_CIFAR10, ids=named)
def test_cifar10_is_trained_as_the_paper_says(known: Card) -> None:
    """apps/small_scale and apps/medium_scale of github.com/allenai/dnw; short ones are shorter."""
    family = known.name.split("_")[0]
    due = PAPER | FAMILIES[family]
    if known.name.endswith("_short"):
        due |= SHORT[family]
        assert "hort" in " ".join(known.notes)
    for ending, rates in TWICE.items():
        if known.name.endswith(ending):
            due |= {"epochs": 2 * 160, "cycle_rates": rates}
    recipe = recipe_of(known).document()
    assert {key: recipe[key] for key in due} == due
    assert (recipe["nesterov"], recipe["label_smoothing"], recipe["knobs"]) == (False, 0.0, {})


def test_imagenet_and_resnet_50_are_trained_as_the_paper_says() -> None:
    mobile, wide, resnet = (
        recipe_of(card(name)) for name in ("dnw_x225", "mnv1_582M", "resnet50_dnw_10")
    )
    assert (mobile.epochs, mobile.batch_size, mobile.weight_decay) == (250, 512, 5e-5)
    assert wide.epochs == 100
    assert (resnet.learning_rate, resnet.momentum, resnet.weight_decay) == (0.256, 0.875, 2**-15)
    assert resnet.label_smoothing == 0.1
    assert not resnet.weight_decay_on_batch_norm
