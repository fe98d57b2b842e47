"""A node's function and its gradients, against torch's own operators."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from micronet.training.nodes import node
from micronet.training.nodes.layout import Maps, blocks, from_images, matrix, to_images
from tests.training.nodes.precision import assert_as_precise

EPS = 1e-5
NODES = 3


@dataclass(frozen=True)
class Case:
    """Nodes of these maps; ``window``: top, left, height and width of what is wanted, or all."""

    images: int
    height: int
    width: int
    norm: int
    stride: int = 1
    window: tuple[int, int, int, int] | None = None

    @property
    def maps(self) -> Maps:
        maps = Maps.of(self.images, self.height, self.width, self.stride)
        return maps if self.window is None else maps.window(*self.window)


CASES = [
    Case(1, 8, 8, node.IMAGE),
    Case(8, 8, 8, node.IMAGE),
    Case(19, 5, 7, node.IMAGE),
    Case(9, 2, 2, node.IMAGE),
    Case(12, 8, 8, node.IMAGE, window=(2, 2, 2, 2)),
    Case(9, 4, 6, node.IMAGE, window=(0, 3, 4, 3)),
    Case(8, 1, 1, node.BATCH),
    Case(5, 2, 2, node.BATCH),
    Case(1, 9, 4, node.BATCH),
    Case(17, 12, 12, node.BATCH),
    Case(16, 6, 6, node.BATCH, stride=2),
    Case(11, 7, 5, node.BATCH, stride=2),
    Case(3, 7, 5, node.BATCH, stride=3),
    Case(10, 8, 8, node.NONE),
    Case(4, 1, 3, node.NONE),
]


def plain(case: Case, x: Tensor, weight: Tensor, bias: Tensor, taps: Tensor) -> Tensor:
    """What torch makes of [images, nodes, height, width]."""
    if case.norm == node.IMAGE:
        x = F.instance_norm(x, weight=weight, bias=bias, eps=EPS)
    if case.norm == node.BATCH:
        x = F.batch_norm(x, None, None, weight, bias, training=True, eps=EPS)
    z = F.conv2d(x.relu(), taps.view(NODES, 1, 3, 3), None, case.stride, 1, groups=NODES)
    top, left, tall, broad = case.window or (0, 0, *z.shape[2:])
    return z[:, :, top : top + tall, left : left + broad]


def by_torch(case: Case, inputs: dict[str, Tensor], g: Tensor) -> dict[str, Tensor]:
    """z and the gradients of everything that entered, in the type of the ``inputs``."""
    leaves = {name: value.clone().requires_grad_() for name, value in inputs.items()}
    z = plain(case, **leaves)
    z.backward(g.to(z.dtype))
    used = {n: v.grad for n, v in leaves.items() if v.grad is not None}
    return {"z": z.detach(), **used}


def node_major(case: Case, inputs: dict[str, Tensor], g: Tensor) -> dict[str, Tensor]:
    """The same by the kernels."""
    maps, norm, x = case.maps, node.Norm(case.norm, EPS), from_images(inputs["x"])
    parameters = node.Parameters(inputs["weight"], inputs["bias"], inputs["taps"])
    z, dx = matrix(NODES, maps.sent), matrix(NODES, maps)
    measured = node.forward(x, maps, norm, parameters, z)
    found = node.backward(from_images(g), x, maps, norm, parameters, measured, dx)
    missing = blocks(dx, maps)[:, -1, ..., (case.images - 1) % 8 + 1 :]
    assert not missing.any(), "images that are not there got a gradient"
    return {
        "z": to_images(z, maps.sent),
        "x": to_images(dx, maps),
        "taps": found.taps,
        "weight": found.weight,
        "bias": found.bias,
    }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_node_computes_what_torch_computes(case: Case) -> None:
    torch.manual_seed(0)
    inputs = {
        "x": torch.randn(case.images, NODES, case.height, case.width) * 2 + 1,
        "weight": torch.randn(NODES),
        "bias": torch.randn(NODES),
        "taps": torch.randn(NODES, 9),
    }
    if case.norm == node.NONE:
        inputs |= {"weight": torch.ones(NODES), "bias": torch.zeros(NODES)}
    g = torch.randn(case.images, NODES, case.maps.tall, case.maps.broad)
    exact = by_torch(case, {n: v.double() for n, v in inputs.items()}, g)
    fast = node_major(case, inputs, g)
    assert_as_precise({n: fast[n] for n in exact}, by_torch(case, inputs, g), exact)


def test_statistics_are_mean_and_biased_variance() -> None:
    torch.manual_seed(0)
    x, maps = torch.randn(11, NODES, 6, 5) * 3 + 100, Maps.of(11, 6, 5)
    parameters = node.Parameters(torch.ones(NODES), torch.zeros(NODES), torch.ones(NODES, 9))
    z = matrix(NODES, maps)
    found = node.forward(from_images(x), maps, node.Norm(node.BATCH, EPS), parameters, z)
    variance, mean = torch.var_mean(x.double(), (0, 2, 3), correction=0)
    assert found.mean.shape == (NODES, 8)
    torch.testing.assert_close(found.mean[:, 0].double(), mean, rtol=1e-7, atol=0)
    torch.testing.assert_close(found.variance[:, 7].double(), variance, rtol=1e-6, atol=0)
