"""Matrix products: a sum can be nonzero if one of its products can."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from micronet.scoring.liveness.products import product
from tests.scoring.liveness.empirical import Function, agree

W = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0], [3.0, 0.0, 1.0]])  # 4 × 3
BIAS = torch.tensor([0.0, 5.0, 0.0])

MATRICES: dict[str, Function] = {
    "x w": lambda x: x @ W,
    "w x": lambda x: W.t() @ x.t(),
    "linear": lambda x: F.linear(x, W.t()),
    "linear with a bias": lambda x: F.linear(x, W.t(), BIAS),
    "bias beside a product": lambda x: torch.addmm(BIAS, x, W, beta=2, alpha=3),
    "times a vector": lambda x: x @ W[:, 0],
    "dot product": lambda x: x[0] @ x[1].roll(1, 0),
    "two activations": lambda x: x[:, :2] @ x[:, 2:].t(),
    "activation in the sum": lambda x: torch.addmm(x[:, :3], x, W),
}  # fmt: skip
BATCHES: dict[str, Function] = {
    "batched": lambda x: x[:, :1] @ x[:, 1:].transpose(1, 2),
    "batched with a constant": lambda x: x @ W.expand(2, 4, 3),
    "baddbmm": lambda x: torch.baddbmm(x[:, :, :3], x, W.expand(2, 4, 3)),
    "tokens": lambda x: F.linear(x, W.t(), BIAS),
    "einsum": lambda x: torch.einsum("bij,kj->bik", x, W.t()),
}  # fmt: skip


@pytest.mark.parametrize("function", MATRICES.values(), ids=MATRICES)
def test_products_of_matrices(function: Function) -> None:
    agree(function, (3, 4))


@pytest.mark.parametrize("function", MATRICES.values(), ids=MATRICES)
def test_products_of_matrices_by_channel(function: Function) -> None:
    agree(function, (3, 4), channels=(1,))


@pytest.mark.parametrize("function", BATCHES.values(), ids=BATCHES)
def test_products_of_batches(function: Function) -> None:
    agree(function, (2, 3, 4))


@pytest.mark.parametrize("left", [(3, 4), (1, 4), (3, 1), (1, 1)], ids=str)
@pytest.mark.parametrize("right", [(4, 2), (1, 2), (4, 1), (1, 1)], ids=str)
def test_compressed_patterns_multiply_like_whole_ones(
    left: tuple[int, int], right: tuple[int, int]
) -> None:
    """Every way in which a factor may not vary, for every seed the same as 3×4 by 4×2 in full."""
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        a = torch.rand(left, generator=generator) < 0.4
        b = torch.rand(right, generator=generator) < 0.4
        whole = (a.expand(3, 4).float() @ b.expand(4, 2).float()) > 0
        assert torch.equal(product(a, b, 4).expand(3, 2), whole)
