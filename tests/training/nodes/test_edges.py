"""Products with sparse edges, against the products of whole matrices."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from micronet.training.nodes.edges import EdgeMatrix, entries
from micronet.training.nodes.layout import TILE, Maps, matrix
from tests.training.nodes.precision import assert_as_precise


@dataclass(frozen=True)
class Case:
    """``density`` of [targets, sources], and how many blocks of eight positions."""

    targets: int
    sources: int
    density: float
    blocks: int


CASES = [
    Case(1, 1, 1.0, 1),
    Case(7, 5, 0.4, 3),
    Case(30, 64, 0.05, 4),
    Case(64, 30, 0.1, 17),
    Case(3, 200, 0.02, 65),
    Case(20, 20, 0.0, 5),  # no edges at all
    Case(20, 20, 1.0, 5),  # all edges: products of whole matrices
    Case(9, 70, 0.45, 100),
]


@dataclass(frozen=True)
class Edges:
    """A matrix whose first row and second column have no edges, as far as it has so many."""

    weight: Tensor
    kept: Tensor
    g: Tensor
    z: Tensor
    maps: Maps

    @staticmethod
    def of(case: Case) -> Edges:
        torch.manual_seed(0)
        maps = Maps.of(8 * case.blocks, 1, 1)
        kept = torch.rand(case.targets, case.sources) < case.density
        if case.density < 1:
            kept[0], kept[:, 1:2] = False, False
        weight = torch.randn(case.targets, case.sources) * kept
        g, z = matrix(case.targets, maps), matrix(case.sources, maps)
        for values in (g, z):
            values[:, : maps.positions].normal_()
        return Edges(weight, kept, g, z, maps)

    @property
    def compressed(self) -> EdgeMatrix:
        return EdgeMatrix.of(self.weight, entries(self.weight, self.kept), self.kept.numel())

    def products(self, kind: torch.dtype, *, kept_only: bool) -> dict[str, Tensor]:
        """Of whole matrices."""
        positions = self.maps.positions
        weight, g, z = (m.to(kind) for m in (self.weight, self.g, self.z))
        g, z = g[:, :positions], z[:, :positions]
        gradients = g @ z.t()
        return {
            "outputs": weight @ z,
            "inputs": weight.t() @ g,
            "edges": gradients * self.kept if kept_only else gradients,
        }


@pytest.mark.parametrize("kept_only", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_three_products(case: Case, kept_only: bool) -> None:
    edges, found = Edges.of(case), Edges.of(case).compressed
    targets, sources = slice(0, case.targets), slice(0, case.sources)
    positions = edges.maps.positions
    outputs, inputs = matrix(case.targets, edges.maps), matrix(case.sources, edges.maps)
    gradients = torch.zeros(case.targets, case.sources)
    found.send(targets, edges.z, positions, outputs)
    found.send_back(sources, targets, edges.g, positions, inputs)
    found.gradients(targets, edges.g, edges.z, positions, gradients, kept_only=kept_only)
    fast = {
        "outputs": outputs[:, :positions],
        "inputs": inputs[:, :positions],
        "edges": gradients * edges.kept if kept_only else gradients,
    }
    exact = edges.products(torch.float64, kept_only=kept_only)
    if case.density == 0:
        del fast["edges"], exact["edges"]
        assert not any(product.any() for product in fast.values())
        return
    assert_as_precise(fast, edges.products(torch.float32, kept_only=kept_only), exact)


@pytest.mark.parametrize("density", [0.2, 0.9])
def test_a_part_of_the_rows_is_sent_alone_and_added(density: float) -> None:
    """Rows 4 to 8 get from the first 12 sources; what was there stays."""
    edges = Edges.of(Case(10, 20, density, 6))
    kept = edges.kept.clone()
    kept[4:9, 12:] = False
    weight = edges.weight * kept
    found = EdgeMatrix.of(weight, entries(weight, kept), kept.numel())
    out = matrix(5, edges.maps).fill_(1.0)
    found.send(slice(4, 9), edges.z[:12], edges.maps.positions, out, more=True)
    torch.testing.assert_close(
        out[:, : edges.maps.positions],
        1 + weight[4:9, :12] @ edges.z[:12, : edges.maps.positions],
    )


@pytest.mark.parametrize("density", [0.2, 0.9])
def test_a_part_of_the_columns_is_sent_back_alone(density: float) -> None:
    """Sources 3 to 6 reach targets 5 and up only."""
    edges = Edges.of(Case(10, 20, density, 6))
    kept = edges.kept.clone()
    kept[:5, 3:7] = False
    weight = edges.weight * kept
    found = EdgeMatrix.of(weight, entries(weight, kept), kept.numel())
    back = matrix(4, edges.maps)
    found.send_back(slice(3, 7), slice(5, 10), edges.g, edges.maps.positions, back)
    torch.testing.assert_close(
        back[:, : edges.maps.positions],
        weight[5:, 3:7].t() @ edges.g[5:, : edges.maps.positions],
    )


def test_most_edges_are_computed_as_whole_matrices_and_few_are_not() -> None:
    assert Edges.of(Case(10, 10, 1.0, 1)).compressed.rows is None
    assert Edges.of(Case(10, 10, 0.2, 1)).compressed.rows is not None


def test_tiles_are_not_what_the_positions_of_these_cases_are() -> None:
    assert {8 * case.blocks % TILE for case in CASES} > {0, 8}
