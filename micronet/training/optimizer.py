"""The optimizer of a recipe: SGD with momentum, and which weights decay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.modules.batchnorm import _NormBase

if TYPE_CHECKING:
    from torch import nn

    from micronet.training.recipe import Recipe


def optimizer_of(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """SGD over all weights; those of norms do not decay where the recipe spares them."""
    spared: set[int] = set()
    if not recipe.weight_decay_on_batch_norm:
        norms = (module for module in model.modules() if isinstance(module, _NormBase))
        spared = {id(parameter) for norm in norms for parameter in norm.parameters()}
    decaying = [p for p in model.parameters() if id(p) not in spared]
    others = [p for p in model.parameters() if id(p) in spared]
    groups: list[dict[str, Any]] = [{"params": decaying}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(
        [group for group in groups if group["params"]],
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate
