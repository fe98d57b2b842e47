"""The learning rate at every step of a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from micronet.training.recipe import STEPS, WARM_COSINE

if TYPE_CHECKING:
    from micronet.training.recipe import Recipe

WARM_UP_EPOCHS = 5


def learning_rate(recipe: Recipe, step: int, steps: int, steps_per_epoch: int) -> float:
    """The rate of ``step`` (counted from 0) of ``steps``.

    With several cycles, each is a run of its own with its own first rate.
    """
    rates = recipe.cycle_rates or (recipe.learning_rate,)
    length = steps / len(rates)
    cycle = min(int(step / length), len(rates) - 1)
    return _in_cycle(recipe, rates[cycle], step - cycle * length, length, steps_per_epoch)


def _in_cycle(
    recipe: Recipe, first: float, step: float, steps: float, steps_per_epoch: int
) -> float:
    if recipe.schedule == STEPS:
        passed = sum(step >= milestone * steps_per_epoch for milestone in recipe.milestones)
        return first * recipe.gamma**passed
    if recipe.schedule == WARM_COSINE:
        warm = WARM_UP_EPOCHS * steps_per_epoch
        if step < warm:
            return first * (step + 1) / warm
        step, steps = step - warm, steps - warm
    return first / 2 * (1 + math.cos(math.pi * step / steps))
