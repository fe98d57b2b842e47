"""A static graph of nodes in levels, forward and backward as one differentiable function.

The same numbers as the plain formulation of ``micronet.models``, without its copies: what nodes
send is one matrix, from which each level takes the sums of its nodes when its turn has come, and
products skip the edges that are not kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from micronet.training.nodes import node
from micronet.training.nodes.edges import EdgeMatrix, entries
from micronet.training.nodes.layout import blocks, matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from micronet.training.nodes.layout import Maps


@dataclass(frozen=True)
class Level:
    """Nodes that compute together, by their ``rows`` and ``columns`` of the edge matrix.

    Edges lead to ``rows`` from the columns of all earlier levels. The inputs of the graph, which
    are its first level, have no rows: slice(0, 0).
    """

    rows: slice
    columns: slice


@dataclass(frozen=True)
class Plan:
    """A graph: its ``levels``, and its ``outputs``, the rows that the last level's edges lead to.

    ``maps`` are those of the inputs, ``last`` those of the last level, with the window that the
    outputs are wanted in. Where outputs are also nodes of the last level, what they get from
    earlier ones is cut out at this window. ``kept_only``: only kept edges get gradients.
    """

    levels: tuple[Level, ...]
    outputs: slice
    maps: Maps
    last: Maps
    norm: node.Norm
    kept_only: bool

    @property
    def sources(self) -> int:
        """Columns of all levels but the last."""
        start: int = self.levels[-1].columns.start
        return start

    @property
    def outputs_are_nodes(self) -> bool:
        """Whether the outputs are also nodes of the last level."""
        return bool(self.outputs.start < self.levels[-1].rows.stop)

    @property
    def receivers(self) -> tuple[tuple[slice, int], ...]:
        """(Rows, how many sources they have), the last levels' edges to the outputs left aside."""
        inner = tuple((level.rows, level.columns.start) for level in self.levels[1:])
        apart = self.sources and not self.outputs_are_nodes
        return (*inner, (self.outputs, self.sources)) if apart else inner

    def maps_of(self, level: Level) -> Maps:
        """The maps that the nodes of ``level`` take."""
        if level is self.levels[-1]:
            return self.last
        return self.maps if level is self.levels[0] else self.maps.sent

    def window(self, rows: Tensor) -> Tensor:
        """The part of node-major ``rows`` of the last level where outputs are wanted."""
        last = self.last
        tall, broad = (
            slice(last.top, last.top + last.tall),
            slice(last.left, last.left + last.broad),
        )
        return blocks(rows, last)[:, :, tall, broad]


@dataclass(frozen=True)
class Wires:
    """The edges of a graph: ``early`` from all levels but the last, ``late`` to the outputs."""

    early: EdgeMatrix
    late: EdgeMatrix

    @staticmethod
    def of(plan: Plan, weight: Tensor, kept: Tensor) -> Wires:
        """Those of ``weight`` that are ``kept`` and lead to a later level."""
        limits = np.zeros(len(weight), np.int64)
        for rows, sources in plan.receivers:
            limits[rows] = sources
        last, outputs = plan.levels[-1].columns, plan.outputs
        all_ = entries(weight, kept)
        early = all_.where(all_.columns < limits[all_.rows])
        late = all_.where(
            (all_.columns >= last.start)
            & (all_.columns < last.stop)
            & (all_.rows >= outputs.start)
            & (all_.rows < outputs.stop)
        ).moved(outputs.start, last.start)
        end = weight[outputs, last]
        return Wires(
            EdgeMatrix.of(weight[:, : plan.sources], early, int(limits.sum())),
            EdgeMatrix.of(end, late, end.numel()),
        )


@dataclass
class Activations:
    """What backward needs: the ``sums`` [rows], what nodes ``sent`` [sources], the last level apart."""

    sums: Tensor
    sent: Tensor
    last: Tensor
    statistics: list[node.Statistics]


class GraphFunction(torch.autograd.Function):
    """(inputs, edges [rows, columns], kept, three parameters a level) → outputs, all node-major."""

    @staticmethod
    def forward(  # noqa: PLR0917 - what autograd keeps apart are arguments
        ctx: Any,
        plan: Plan,
        measured: list[node.Statistics],
        x: Tensor,
        weight: Tensor,
        kept: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        """The outputs; the statistics of each level are appended to ``measured``."""
        wires, inner = Wires.of(plan, weight, kept), plan.maps.sent
        many = len(plan.levels) > 1
        now = Activations(
            matrix(plan.levels[-1].rows.stop, inner),
            matrix(plan.sources, inner),
            matrix(_length(plan.levels[-1].columns), plan.last.sent),
            measured,
        )
        for level, each in zip(plan.levels, _of_levels(parameters), strict=True):
            values = x
            if level is not plan.levels[0]:
                values = now.sums[level.rows]
                early = now.sent[: level.columns.start]
                wires.early.send(level.rows, early, inner.positions, values)
            z = now.last if level is plan.levels[-1] else now.sent[level.columns]
            measured.append(node.forward(values, plan.maps_of(level), plan.norm, each, z))
        outputs = matrix(_length(plan.outputs), plan.last.sent)
        if plan.outputs_are_nodes:
            blocks(outputs, plan.last.sent).copy_(plan.window(now.sums[plan.outputs]))
        elif many:
            wires.early.send(plan.outputs, now.sent, inner.positions, outputs)
        every = slice(0, len(outputs))
        wires.late.send(every, now.last, plan.last.sent.positions, outputs, more=many)
        ctx.save_for_backward(x, *parameters)
        ctx.plan, ctx.wires, ctx.now, ctx.shape = plan, wires, now, weight.shape
        return outputs

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
        """Gradients of inputs, edges and parameters."""
        plan, now = ctx.plan, ctx.now
        x, *parameters = ctx.saved_tensors
        g = upstream.contiguous()
        found = Backward(plan, ctx.wires, now, g, torch.zeros(ctx.shape))
        by_level = []
        dx = matrix(len(x), plan.maps)
        for index in reversed(range(len(plan.levels))):
            of_level = node.Parameters(*parameters[3 * index : 3 * index + 3])
            by_level.append(found.level(index, x, of_level, dx))
        flat = [p for each in reversed(by_level) for p in vars(each).values()]
        return (None, None, dx, found.gradients, None, *flat)


class Backward:
    """One way back through a graph: ``back`` are the gradients of the sums, as far as it has come."""

    def __init__(
        self, plan: Plan, wires: Wires, now: Activations, g: Tensor, gradients: Tensor
    ) -> None:
        self.plan, self.wires, self.now, self.g = plan, wires, now, g
        self.gradients = gradients
        self.inner = plan.maps.sent
        rows = max((rows.stop for rows, _ in plan.receivers), default=0)
        self.back = matrix(rows, self.inner)
        self._outputs()

    def _outputs(self) -> None:
        plan, last = self.plan, self.plan.levels[-1]
        self.wires.late.gradients(
            slice(0, len(self.g)),
            self.g,
            self.now.last,
            plan.last.sent.positions,
            self.gradients[plan.outputs, last.columns],
            kept_only=plan.kept_only,
        )
        if plan.sources and not plan.outputs_are_nodes:
            self.back[plan.outputs] = self.g
            self._edges(plan.outputs, plan.sources)

    def level(
        self, index: int, x: Tensor, parameters: node.Parameters, dx: Tensor
    ) -> node.Parameters:
        """The gradients of a level's parameters; those of its sums are in ``back``, or ``dx``."""
        plan, level = self.plan, self.plan.levels[index]
        last = level is plan.levels[-1]
        dz = matrix(_length(level.columns), plan.maps_of(level).sent)
        if last:
            every = slice(0, len(dz))
            self.wires.late.send_back(
                every, slice(0, len(self.g)), self.g, plan.last.sent.positions, dz
            )
        else:
            later = slice(plan.levels[index + 1].rows.start, len(self.back))
            self.wires.early.send_back(level.columns, later, self.back, self.inner.positions, dz)
        values, to = (self.now.sums[level.rows], self.back[level.rows]) if index else (x, dx)
        found = node.backward(
            dz, values, plan.maps_of(level), plan.norm, parameters, self.now.statistics[index], to
        )
        if last and plan.outputs_are_nodes:
            plan.window(self.back[plan.outputs]).add_(blocks(self.g, plan.last.sent))
        if index:
            self._edges(level.rows, level.columns.start)
        return found

    def _edges(self, rows: slice, sources: int) -> None:
        z, part = self.now.sent[:sources], self.gradients[rows, :sources]
        self.wires.early.gradients(
            rows, self.back[rows], z, self.inner.positions, part, kept_only=self.plan.kept_only
        )


def _of_levels(parameters: Any) -> Iterator[node.Parameters]:
    for first in range(0, len(parameters), 3):
        yield node.Parameters(*parameters[first : first + 3])


def _length(part: slice) -> int:
    length: int = part.stop - part.start
    return length
