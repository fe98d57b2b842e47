"""How outputs are compared: shares of the largest output, and NaN is never close."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from micronet.errors import Finding, MicronetError
from micronet.models import InputSpec
from micronet.slimming.prove import (
    check_close,
    check_identical,
    difference,
    outputs,
    random_inputs,
)

NAN = float("nan")
DIFFERENCES = {
    "equal": ([4.0, -8.0], [4.0, -8.0], 0.0),
    "of the largest output, whatever its sign": ([4.0, -8.0], [5.0, -8.0], 1 / 8),
    "zeros": ([0.0, 0.0], [0.0, -0.0], 0.0),
    "something where nothing was": ([0.0, 0.0], [0.0, 1e-30], math.inf),
}


@pytest.mark.parametrize(("want", "have", "share"), DIFFERENCES.values(), ids=DIFFERENCES.keys())
def test_differences_are_shares(want: list[float], have: list[float], share: float) -> None:
    assert difference([[torch.tensor(want)]], [[torch.tensor(have)]]) == share


def test_the_worst_output_tensor_counts() -> None:
    """Of two tensors on two inputs: scale 2 with Δ 1, and scale 100 with Δ 1."""
    want = [
        [torch.tensor([1.0]), torch.tensor([100.0])],
        [torch.tensor([2.0]), torch.tensor([0.0])],
    ]
    have = [
        [torch.tensor([1.0]), torch.tensor([101.0])],
        [torch.tensor([3.0]), torch.tensor([0.0])],
    ]
    assert difference(want, have) == 1 / 2


def test_nan_is_never_close() -> None:
    want, have = [[torch.tensor([1.0, 2.0])]], [[torch.tensor([1.0, NAN])]]
    with pytest.raises(Finding, match="differs by nan"):
        check_close(want, have, 1e-4, "x")
    with pytest.raises(Finding, match="looked dead is not"):
        check_identical(have, have)


def test_the_last_bit_counts_where_outputs_must_be_identical() -> None:
    one = torch.ones(3, dtype=torch.float64)
    check_identical([[one]], [[one.clone()]])
    with pytest.raises(Finding, match=r"output 1 of 1 differs by 2\.22e-16"):
        check_identical([[one]], [[one * (1 + 2**-52)]])


def test_random_tokens_are_known_to_every_embedding() -> None:
    model = nn.ModuleList([nn.Embedding(5, 2), nn.Embedding(900, 2)])
    tokens = random_inputs(model, InputSpec((4, 50), "int64"))
    assert [tuple(each.shape) for each in tokens] == [(4, 50)] * 3
    assert {int(token) for each in tokens for token in each.flatten()} == {0, 1, 2, 3, 4}


def test_random_inputs_are_the_same_every_time() -> None:
    once, twice = (random_inputs(nn.Identity(), InputSpec((1, 3, 4, 4))) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(once, twice, strict=True))
    assert not torch.equal(once[0], once[1])


class Picky(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == torch.float64:
            message = "single precision only"
            raise RuntimeError(message)
        return x


def test_a_network_that_does_not_run_in_float64_cannot_be_proved() -> None:
    with pytest.raises(
        MicronetError, match=r"Picky does not run in float64.*single precision only"
    ):
        outputs(Picky(), [torch.ones(1)], torch.float64)
