"""How much each operation does: products, sums and elementary acts, as exact integers.

Which edges take part depends on the rule book: all that are ``stored``, those that are ``active``
(not zero), or those that are ``live`` (active, fed, and used).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

import torch

from micronet.errors import MicronetError
from micronet.scoring import channels, patterns
from micronet.scoring.acts import LINEAR, acts
from micronet.scoring.folding import bias_of, weight_of
from micronet.scoring.liveness import convolution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from micronet.scoring.ir import Operation, Value
    from micronet.scoring.network import Network
    from micronet.scoring.rulebook import Edges


@dataclass(frozen=True)
class Work:
    """What one operation computes."""

    operation: Operation
    products: int = 0
    """Multiplications of dot products."""
    dots: int = 0
    """Dot products of at least one edge: each needs one addition fewer than it has products."""
    biases: int = 0
    """Additions of a bias to a dot product."""
    positions: int = 0
    """How often each edge of the weight is used."""
    acts: Mapping[str, int] = field(default_factory=dict)
    folded: bool = False
    """A batch norm that is part of the operator before it."""
    shuffled_channels: int = 0
    """Channels that this operation puts into another order."""


def work(network: Network, edges: Edges, *, fold: bool) -> list[Work]:
    """The work of every operation, in order.

    ``fold``: batch norms that can go into the operator before them do.
    Raises MicronetError naming every operator that no table knows.
    """
    folded = network.folds if fold else {}
    with_shift = {linear for norm, linear in folded.items()}
    found: list[Work] = []
    unknown: dict[str, str] = {}
    for i, op in enumerate(network.trace.operations):
        if i in folded:
            found.append(Work(op, folded=True))
        elif not op.outputs:
            continue  # it hands a value to Python, or checks one
        elif op.name in LINEAR:
            found.append(_linear(network, op, edges, shifted=i in with_shift))
        else:
            shuffled = channels.permutes_channels(
                op, network.axes.get(id(op.inputs[0]), frozenset())
            )
            results = network.results(op, edges)
            done = acts(op, results)
            if done is None:
                unknown.setdefault(str(op.function), op.module or "the model itself")
                continue
            if shuffled:
                width = prod(op.outputs[0].shape[axis] for axis in network.axes[id(op.outputs[0])])
                found.append(Work(op, acts={"permute": results}, shuffled_channels=width))
            else:
                found.append(Work(op, acts=done))
    if unknown:
        listed = "; ".join(f"{name} in {module}" for name, module in unknown.items())
        raise MicronetError(
            f"No price for {len(unknown)} operator(s): {listed}.",
            "Nothing unpriced counts as 0. For one of your own: micronet.scoring.register(name, formula).",
        )
    return found


def _linear(network: Network, op: Operation, edges: Edges, *, shifted: bool) -> Work:
    weight = weight_of(op)
    bias = bias_of(op)
    extra = {"multiply": op.outputs[0].numel} if op.kwargs.get("alpha", 1) != 1 else {}
    if weight is None:
        products, dots = _dynamic_product(network, op, edges)
        if bias is not None:
            extra["add"] = network.results(op, edges)
        return Work(op, products, dots, acts=extra)
    pattern = network.weight_pattern(weight, edges)
    if op.name == "convolution":
        count, rows = _rows_of_convolution(op, pattern)
        positions = op.outputs[0].shape[0] * prod(op.outputs[0].shape[2:])
    else:
        count, rows, positions = _rows_of_product(op, weight, pattern)
    if bias is not None and bias.dynamic:
        extra["add"] = network.results(op, edges)
    biased = shifted or (bias is not None and not bias.dynamic)
    if (
        op.name == "convolution" and op.args[6]
    ):  # transposed: each edge is used once an input position
        reads = op.inputs[0].shape[0] * prod(op.inputs[0].shape[2:])
        dots = _dots_of_transposed(op, pattern)
        return Work(op, count * reads, dots, dots * biased, reads, extra)
    return Work(
        op, count * positions, rows * positions, rows * positions * biased, positions, extra
    )


def _dots_of_transposed(op: Operation, pattern: Tensor) -> int:
    """Results of a transposed convolution that get a product at all: wide strides leave gaps."""
    source, weight = op.inputs[0], op.inputs[1]
    ones = torch.ones(1, source.shape[1], *source.shape[2:])
    kernel = pattern.expand(weight.shape).float()
    sums = torch.convolution(ones, kernel, None, *op.args[3:9])
    return int(sums.count_nonzero()) * op.outputs[0].shape[0]


def _rows_of_convolution(op: Operation, pattern: Tensor) -> tuple[int, int]:
    """(edges, output channels with at least one edge)."""
    weight = op.inputs[1]
    outputs = op.outputs[0].shape[1]
    if pattern.numel() == 1:
        return (weight.numel, outputs) if pattern.item() else (0, 0)
    grouped = convolution.by_group(op, pattern.expand(weight.shape))
    return int(grouped.count_nonzero()), int(patterns.any_over(grouped, (2, 3)).count_nonzero())


def _rows_of_product(op: Operation, weight: Value, pattern: Tensor) -> tuple[int, int, int]:
    """(edges, dot products with at least one edge, times each is used) of a product with a constant."""
    left = weight is op.inputs[-2]
    result = op.outputs[0].shape
    inner = -1 if left or len(weight.shape) == 1 else -2
    if len(result) < 2:  # a vector or a number: one column
        positions = 1 if left else prod(result)
    else:
        positions = result[-1] if left else result[-2]
        if len(weight.shape) < 3 and len(result) > 2:
            positions *= prod(result[:-2])
    if pattern.numel() == 1:
        rows = weight.numel // weight.shape[inner]
        return (weight.numel, rows, positions) if pattern.item() else (0, 0, positions)
    full = pattern.expand(weight.shape)
    return (
        int(full.count_nonzero()),
        int(patterns.any_over(full, (inner,)).count_nonzero()),
        positions,
    )


def _dynamic_product(network: Network, op: Operation, edges: Edges) -> tuple[int, int]:
    """(multiplications, dot products) of a product of two activations, dead channels left out."""
    if op.name == "convolution":
        per_output = op.inputs[1].numel // op.inputs[1].shape[0]
        dots = op.outputs[0].numel
        return per_output * dots, dots
    left, right = op.inputs[-2:]
    inner = left.shape[-1]
    dots = op.outputs[0].numel
    if edges == "live":
        dots = network.results(op, edges)
        a = network.liveness.alive(left)
        b = network.liveness.alive(right)
        along_left = channels.by_channel(a, frozenset([a.ndim - 1])).reshape(-1)
        along_right = channels.by_channel(b, frozenset([max(b.ndim - 2, 0)])).reshape(-1)
        inner = int((along_left & along_right).expand(inner).sum())
    products = inner * dots
    if op.name == "addbmm":  # one sum over the whole batch
        products *= left.shape[0]
    return products, dots if inner else 0
