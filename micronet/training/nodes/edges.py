"""An edge matrix, compressed both ways, and its three products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from micronet.training.nodes import edge_kernels as kernels
from micronet.training.nodes.jit import run
from micronet.training.nodes.layout import TILE, array

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

DENSE_FROM: Final = 0.5  # a matrix product beats the sparse one where more edges are kept


@dataclass(frozen=True)
class Entries:
    """Edges one by one, row after row: ``rows``, ``columns`` and ``values`` [edges]."""

    rows: NDArray[np.integer]
    columns: NDArray[np.integer]
    values: NDArray[np.float32]

    def where(self, chosen: NDArray[np.bool_]) -> Entries:
        """Those that ``chosen`` [edges] marks."""
        return Entries(self.rows[chosen], self.columns[chosen], self.values[chosen])

    def moved(self, rows: int, columns: int) -> Entries:
        """The same edges in a matrix that begins that much later."""
        return Entries(self.rows - rows, self.columns - columns, self.values)


def entries(weight: Tensor, kept: Tensor) -> Entries:
    """The edges of ``weight`` [targets, sources] that the boolean ``kept`` has set."""
    found = np.flatnonzero(array(kept.contiguous()))
    rows, columns = np.divmod(found, kept.shape[1])
    return Entries(rows, columns, array(weight.contiguous()).reshape(-1)[found])


@dataclass(frozen=True)
class Compressed:
    """Edges row by row: ``starts`` [rows + 1], ``columns`` and ``values`` [edges]."""

    starts: NDArray[np.uint32]
    columns: NDArray[np.uint32]
    values: NDArray[np.float32]

    @staticmethod
    def of(edges: Entries, rows: int) -> Compressed:
        """The ``edges`` of a matrix of so many rows."""
        starts = np.searchsorted(edges.rows, np.arange(rows + 1)).astype(np.uint32)
        return Compressed(starts, edges.columns.astype(np.uint32), edges.values)

    def transposed(self, columns: int) -> Compressed:
        """The same edges column by column."""
        order = np.argsort(self.columns.astype(np.min_scalar_type(columns)), kind="stable")
        turned = Entries(self.columns[order], self._rows()[order], self.values[order])
        return Compressed.of(turned, columns)

    def _rows(self) -> NDArray[np.int64]:
        """The row of each edge."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts).astype(np.int64))

    def send(
        self,
        part: slice,
        z: Tensor,
        positions: int,
        out: Tensor,
        *,
        before: int = 0,
        more: bool = False,
    ) -> None:
        """``out`` = the rows ``part`` of the matrix · ``z``; ``more``: added to it.

        ``z`` leaves out ``before`` columns, which have no edges there.
        """
        starts = self.starts[part.start : part.stop + 1]
        tiles = -(-positions // TILE)
        run(
            kernels.send,
            starts,
            self.columns,
            self.values,
            array(z),
            before,
            tiles,
            more,
            array(out),
        )

    def gradients(self, part: slice, g: Tensor, z: Tensor, positions: int, out: Tensor) -> None:
        """``out`` [rows of ``part``, columns] at each edge = ⟨g of its row, z of its column⟩."""
        starts = self.starts[part.start : part.stop + 1]
        of = slice(int(starts[0]), int(starts[-1]))
        sums = np.zeros((kernels.CHUNKS, of.stop - of.start), np.float32)
        tiles = -(-positions // TILE)
        run(kernels.edge_gradients, starts, self.columns, array(g), array(z), tiles, sums)
        array(out)[self._rows()[of] - part.start, self.columns[of]] = sums.sum(0)


@dataclass(frozen=True)
class EdgeMatrix:
    """``weight`` [targets, sources] with its zeros; compressed, unless most edges are there."""

    weight: Tensor
    rows: Compressed | None
    columns: Compressed | None

    @staticmethod
    def of(weight: Tensor, edges: Entries, legal: int) -> EdgeMatrix:
        """``weight`` [targets, sources], whose only nonzero entries are ``edges``, of so many legal."""
        if len(edges.rows) > DENSE_FROM * legal:
            return EdgeMatrix(weight, None, None)
        rows = Compressed.of(edges, len(weight))
        return EdgeMatrix(weight, rows, rows.transposed(weight.shape[1]))

    def send(
        self, targets: slice, z: Tensor, positions: int, out: Tensor, *, more: bool = False
    ) -> None:
        """``out`` [targets] = what the first sources send, whose values are ``z``; or added to it.

        No edge leads to ``targets`` from sources that are not in ``z``.
        """
        if self.rows is None:
            weight, columns = self.weight[targets, : len(z)], out[:, :positions]
            torch.addmm(columns, weight, z[:, :positions], beta=int(more), out=columns)
        else:
            self.rows.send(targets, z, positions, out, more=more)

    def send_back(
        self, sources: slice, targets: slice, g: Tensor, positions: int, out: Tensor
    ) -> None:
        """``out`` [sources] = what comes back from ``targets``, which are all that they lead to.

        ``g`` are the gradients of all rows.
        """
        if self.columns is None:
            weight = self.weight[targets, sources].t()
            torch.mm(weight, g[targets, :positions], out=out[:, :positions])
        else:
            self.columns.send(sources, g[targets], positions, out, before=targets.start)

    def gradients(
        self, targets: slice, g: Tensor, z: Tensor, positions: int, out: Tensor, *, kept_only: bool
    ) -> None:
        """``out`` [targets, sources of ``z``] = ⟨g of the target, z of the source⟩ for every edge.

        ``kept_only``: only where an edge is kept, and ``out`` is left alone elsewhere.
        """
        if kept_only and self.rows is not None:
            self.rows.gradients(targets, g, z, positions, out)
        else:
            torch.mm(g[:, :positions], z[:, :positions].t(), out=out)
