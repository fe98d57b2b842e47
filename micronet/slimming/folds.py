"""Which of the batch norms that the counter folds can really go, module by module.

The counter folds a norm that reads a convolution or a linear operator directly. To fold it in the
network itself, both must be modules of their own that run nothing else: the layer then gains a
bias and the norm becomes an identity. What is not so is left as it is, with the reason. The counter
still prices it as folded, so leaving it changes no score.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from micronet.scoring.folding import bias_of, weight_of
from micronet.scoring.liveness.mixing import scale_and_shift

if TYPE_CHECKING:
    from micronet.scoring.ir import Operation
    from micronet.scoring.network import Network


@dataclass(frozen=True)
class Fold:
    """``norm`` goes into ``layer`` (module names); scale and shift are float64, one a channel."""

    layer: str
    norm: str
    scale: Tensor
    shift: Tensor


@dataclass(frozen=True)
class Left:
    """A norm that stays although the counter folds it, and why."""

    norm: str
    reason: str


def foldable(model: nn.Module, network: Network) -> tuple[tuple[Fold, ...], tuple[Left, ...]]:
    """(norms that can go, norms that cannot), in the order they run."""
    operations = network.trace.operations
    pairs: dict[str, list[tuple[Operation, Operation]]] = defaultdict(list)
    for norm, layer in network.folds.items():
        pairs[operations[norm].module].append((operations[norm], operations[layer]))
    found: list[Fold] = []
    left: list[Left] = []
    for name, calls in pairs.items():
        reason = _obstacle(model, network, calls)
        known = scale_and_shift(calls[0][0])
        if reason is not None or known is None:
            left.append(Left(name, reason or "its values are unknown"))
            continue
        found.append(Fold(calls[0][1].module, name, *known))
    return tuple(found), tuple(left)


def _obstacle(
    model: nn.Module, network: Network, calls: list[tuple[Operation, Operation]]
) -> str | None:
    """Why the norm of these (norm, layer) calls cannot go; None if it can."""
    modules = dict(model.named_modules())
    norm_op, layer_op = calls[0]
    layer, norm = modules.get(layer_op.module), modules.get(norm_op.module)
    roots = network.trace.roots
    if not isinstance(norm, _BatchNorm) or type(norm).forward not in _PLAIN_NORMS:
        return "it is not a batch norm module that does nothing else"
    if roots[norm_op.inputs[-1].root].name.rpartition(".")[0] != norm_op.module:
        return "its statistics are those of another module"
    ran = [op for op in network.trace.operations if op.module == norm_op.module]
    if len(ran) != len(calls):
        return "it also runs where it does not follow a layer"
    if len({layer.module for _, layer in calls}) > 1:
        return "it follows several layers"
    if not isinstance(layer, _ConvNd | nn.Linear):
        where = layer_op.module or "the model itself"
        return f"what runs before it, in {where}, is not a convolution or linear module"
    return _not_its_own(network, layer_op, [each for _, each in calls])


_PLAIN_NORMS = (_BatchNorm.forward, nn.SyncBatchNorm.forward)


def _not_its_own(network: Network, layer: Operation, calls: list[Operation]) -> str | None:
    """Why the layer's weight or bias must not be scaled; None if these calls alone read them."""
    roots = network.trace.roots
    for role, value in (("weight", weight_of(layer)), ("bias", bias_of(layer))):
        if value is None:
            continue
        root, name = roots[value.root], f"{layer.module}.{role}"
        if root.derived or root.name != name:
            return f"{name} is computed or shared"
        if any(other.derived and name in other.parameters for other in roots.values()):
            return f"something else is computed from {name}"
        for op in network.trace.operations:
            if any(each.root == value.root for each in op.inputs) and op not in calls:
                return f"{name} is read elsewhere too"
    return None
