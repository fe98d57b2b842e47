"""Keep only what really does what the plan says: computed weights and prices are looked at again."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from micronet.scoring.folding import weight_of
from micronet.scoring.network import Network
from micronet.scoring.trace import meta_input, trace
from micronet.slimming.apply import folded, without_edges
from micronet.slimming.folds import Left

if TYPE_CHECKING:
    from torch import nn

    from micronet.models import InputSpec
    from micronet.scoring.ir import Operation
    from micronet.slimming.folds import Fold
    from micronet.slimming.plan import Plan


def network_of(model: nn.Module, inputs: InputSpec) -> Network:
    """The trace of ``model`` on an input of that shape, ready to be counted."""
    return Network(trace(model, [meta_input(inputs.shape, inputs.dtype)]))


def verified(model: nn.Module, inputs: InputSpec, before: Network, plan: Plan) -> Plan:
    """The part of ``plan`` that can be done without changing a weight or a price it should not.

    Left out are numbers that a computed weight does not follow (a parameter that forward ranks or
    normalises before use), and folds that the counter would not price as it prices the norm: the
    scale spreads a quantised weight over more values, or the module has no use for a bias.
    """
    plan = replace(plan, dead=_followed(model, inputs, before, plan))
    if not plan.folds:
        return plan
    slim = folded(without_edges(model, plan.dead), plan.folds)
    after = network_of(slim, inputs)
    kept: list[Fold] = []
    left = list(plan.left)
    was, now = _prices(before), _prices(after)
    read = {root.name for root in after.trace.roots.values()}
    for fold in plan.folds:
        old = sum(was.get(name, 0) for name in (*_stored_by(fold), fold.norm))
        new = sum(now.get(name, 0) for name in _stored_by(fold))
        if f"{fold.layer}.bias" not in read:
            left.append(Left(fold.norm, f"{fold.layer} runs code of its own that adds no bias"))
        elif old != new:
            change = f"storage of {fold.layer} from {old} to {new} bits"
            left.append(Left(fold.norm, f"folding it would change the {change}"))
        else:
            kept.append(fold)
    return replace(plan, folds=tuple(kept), left=tuple(left))


def _stored_by(fold: Fold) -> tuple[str, str]:
    return f"{fold.layer}.weight", f"{fold.layer}.bias"


def _prices(network: Network) -> dict[str, int]:
    """Bits of each stored tensor by name, as measured."""
    found: dict[str, int] = defaultdict(int)
    for tensor in network.tensors(fold=True):
        found[tensor.name] += tensor.value_bits(0) + tensor.mask.bits + tensor.width.table_bits
    return found


def _followed(
    model: nn.Module, inputs: InputSpec, before: Network, plan: Plan
) -> dict[str, torch.Tensor]:
    """``plan.dead`` without the parameters whose computed weights change by more than dead edges."""
    roots = before.trace.roots
    derived = {name for root in roots.values() if root.derived for name in root.parameters}
    if not derived & set(plan.dead):
        return dict(plan.dead)
    after = network_of(without_edges(model, plan.dead), inputs)
    wrong: set[str] = set()
    pairs = zip(before.trace.operations, after.trace.operations, strict=False)
    same_length = len(before.trace.operations) == len(after.trace.operations)
    for old, new in pairs:
        if not same_length or not _same_live_edges(before, old, new):
            value = weight_of(old)
            wrong |= set() if value is None else roots[value.root].parameters
    return {name: dead for name, dead in plan.dead.items() if name not in wrong & derived}


def _same_live_edges(network: Network, old: Operation, new: Operation) -> bool:
    """Whether two runs of a linear operator have the same live edges and no other but zeros."""
    was, now = weight_of(old), weight_of(new)
    if was is None or now is None or was.tensor is None or now.tensor is None:
        return (was is None) == (now is None)
    live = network.weight_pattern(was, "live").expand(was.shape)
    return torch.equal(torch.where(live, was.tensor, 0), now.tensor)
