"""The learning rate is the recipe's at every step."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from micronet.checkpoints.card import card
from micronet.training.recipe import COSINE, STEPS, WARM_COSINE, recipe_of
from micronet.training.schedule import learning_rate

PLAIN = replace(recipe_of(card("tiny_static_dnw")), learning_rate=0.5, milestones=(), epochs=20)
PER_EPOCH, STEPS_IN_ALL = 10, 200


def rate(step: int, **changes: object) -> float:
    return learning_rate(replace(PLAIN, **changes), step, STEPS_IN_ALL, PER_EPOCH)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0.5), (50, 0.25 * (1 + math.cos(math.pi / 4))), (100, 0.25), (200, 0.0)],
)
def test_a_cosine_falls_from_the_first_rate_to_nothing(step: int, expected: float) -> None:
    assert rate(step, schedule=COSINE) == expected


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.5), (79, 0.5), (80, 0.05), (119, 0.05), (120, 0.5 * 0.1**2)]
)
def test_steps_multiply_the_rate_at_each_milestone(step: int, expected: float) -> None:
    assert rate(step, schedule=STEPS, milestones=(8, 12), gamma=0.1) == expected


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0.5 / 50), (24, 0.5 * 25 / 50), (49, 0.5), (50, 0.5), (125, 0.25), (200, 0.0)],
)
def test_a_warm_up_of_five_epochs_rises_to_the_first_rate_and_then_falls(
    step: int, expected: float
) -> None:
    assert rate(step, schedule=WARM_COSINE) == expected


def test_each_cycle_begins_with_its_own_rate() -> None:
    found = [rate(s, schedule=COSINE, cycle_rates=(0.4, 0.1)) for s in (0, 50, 99, 100, 150)]
    assert found[0] == 0.4
    assert found[1] == 0.2
    assert found[2] == 0.2 * (1 + math.cos(math.pi * 0.99))
    assert found[3] == 0.1
    assert found[4] == 0.05
