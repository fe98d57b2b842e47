"""What can go: dead edges, batch norms that fold, tensors that inference never reads.

An edge is dead when its weight is not zero but its source always is, or nothing reaches the output
from its target. The counter leaves such edges out of a score; this says which they are.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from micronet.scoring.folding import weight_of
from micronet.scoring.memory import storage_key
from micronet.slimming.folds import Fold, Left, foldable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from micronet.scoring.ir import Root
    from micronet.scoring.network import Network


@dataclass(frozen=True)
class Plan:
    """``dead``: for each weight, boolean in its shape, the numbers that become zero.

    ``unread``: names in the state dict that inference never reads. ``left``: what the counter folds
    into the layer before it but this plan does not, each with its reason.
    """

    dead: Mapping[str, Tensor]
    folds: tuple[Fold, ...]
    left: tuple[Left, ...]
    unread: tuple[str, ...]


def make_plan(model: nn.Module, network: Network) -> Plan:
    """The plan for ``model``, of which ``network`` is the trace. Nothing is changed yet."""
    folds, left = foldable(model, network)
    return Plan(dead_edges(model, network), folds, left, _unread(model, network))


def dead_edges(model: nn.Module, network: Network) -> dict[str, Tensor]:
    """For each parameter that is a weight: where it is not zero and no live edge is read from it.

    A weight that forward computes (a mask times a parameter) stands for the parameter of its own
    shape. A parameter that anything else is computed from as well is not touched.
    """
    roots = network.trace.roots
    weights = {
        value.root for op in network.trace.operations if (value := weight_of(op)) is not None
    }
    readers: dict[str, list[int]] = defaultdict(list)
    for key in network.liveness.read:
        for name in roots[key].parameters:
            readers[name].append(key)
    found: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        keys = readers.get(name, [])
        if not keys or not set(keys) <= weights or not _same_place(parameter, name, keys, roots):
            continue
        live = torch.zeros(parameter.shape, dtype=torch.bool)
        for key in keys:
            live |= _live(network, key, roots[key])
        dead = (parameter.detach() != 0) & ~live
        if bool(dead.any()):
            found[name] = dead
    return found


def _same_place(
    parameter: Tensor, name: str, keys: Sequence[int], roots: Mapping[int, Root]
) -> bool:
    """Whether element i of every root is element i of the parameter, as far as shapes can tell."""
    return all(
        (roots[key].name == name and not roots[key].derived)
        or (roots[key].shape == tuple(parameter.shape) and not roots[key].moved_from)
        for key in keys
    )


def _live(network: Network, key: int, root: Root) -> Tensor:
    """The live elements of a root, in its shape."""
    content = root.tensor
    if content is None:
        return torch.ones(root.shape, dtype=torch.bool)
    used = network.liveness.used.get(key, torch.zeros(root.elements, dtype=torch.bool))
    nonzero = content != 0
    if used is None:
        return nonzero
    return nonzero & used.as_strided(content.shape, content.stride(), content.storage_offset())


def _unread(model: nn.Module, network: Network) -> tuple[str, ...]:
    """Names in the state dict whose content forward never looks at (tied ones count as one)."""
    read = {name for root in network.trace.roots.values() for name in root.parameters}
    state = model.state_dict(keep_vars=True)
    keys = {storage_key(state[name]) for name in read if name in state}
    return tuple(name for name, tensor in state.items() if storage_key(tensor) not in keys)
