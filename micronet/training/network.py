"""The network of a recipe as training needs it: every edge there, behind gates that keep a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from micronet.models import build_model
from micronet.models.edges import Edges
from micronet.training.budgets import Size, erk_budgets
from micronet.training.gates import Gates, Group, gated, plain_state
from micronet.wiring import kept_edges

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn


def trainable(
    architecture: str, config: Mapping[str, Any], seed: int, budgets: str = "graph"
) -> tuple[nn.Module, Gates]:
    """A network before its first step, the same for the same seed, and its gates.

    ``budgets``: "graph" lets each wiring or layer keep what the architecture says; "erk" shares
    the same total out by shapes, "global" lets all edges compete for it.
    torch's generator stays as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if architecture == "resnet50_sparse":
            return _resnet50(config, budgets)
        model = build_model(architecture, {**config, **stored_plainly(architecture)})
        groups = []
        for name, module in list(model.named_modules()):
            if isinstance(module, Edges):
                module.reopen()
                legal = None if module.legal is None else module.legal.view_as(module.weight)
                member = gated(module, "weight", f"{name}.weight", legal)
                groups.append(Group((member,), module.budget))
    return model.train(), Gates(_shared_out(groups, budgets))


def stored_plainly(architecture: str) -> dict[str, str]:
    """A trained wiring holds its zeros in the weight itself, however its edges were found."""
    from micronet.models import ARCHITECTURES

    return {"wiring": "dnw"} if "wiring" in ARCHITECTURES[architecture].settings else {}


def _resnet50(config: Mapping[str, Any], budgets: str) -> tuple[nn.Module, Gates]:
    """DNW's ResNet-50: every convolution on its own, and the classifier, which is one."""
    model = build_model("resnet50_sparse", {**config, "density": 1.0})
    density = config.get("density", 0.1)
    groups = []
    for name, module in list(model.named_modules()):
        if isinstance(module, torch.nn.Conv2d) and not (
            config.get("dense_first") and name == "conv1"
        ):
            torch.nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            member = gated(module, "weight", f"{name}.weight")
            groups.append(Group((member,), kept_edges(module.weight.numel(), density)))
    return model.train(), Gates(_shared_out(groups, budgets))


def _shared_out(groups: list[Group], budgets: str) -> list[Group]:
    """The same edges in all, but each group's as the network says only with "graph"."""
    members = tuple(member for group in groups for member in group.members)
    total = sum(group.budget for group in groups)
    if budgets == "global":
        return [Group(members, total)]
    if budgets == "erk":
        sizes = [Size(tuple(each.weight.shape), each.legal_entries) for each in members]
        counts = erk_budgets(sizes, total)
        return [Group((each,), count) for each, count in zip(members, counts, strict=True)]
    return groups


def stored(model: nn.Module) -> dict[str, Tensor]:
    """The tensors that a checkpoint of the trained wiring holds: kept edges, and zeros."""
    return dict(plain_state(model))
