"""−log p is right to the last digits, and a sum is exact, so that its grouping does not matter."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import accumulate

import pytest
import torch

from micronet.evaluation.language.losses import Totals, losses


@pytest.mark.parametrize("size", [1, 2, 3, 10, 1000, 267_735])
def test_equal_logits_cost_the_logarithm_of_their_number(size: int) -> None:
    """exp(0) = 1, and a sum of so many ones is exact."""
    assert losses(torch.full((1, size), 3.5), [size - 1]) == [math.log(size)]


def test_what_cannot_come_takes_no_share() -> None:
    row = torch.tensor([[0.0, -math.inf, 0.0, -math.inf]])
    assert losses(row.expand(2, 4), [0, 1]) == [math.log(2), math.inf]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_logit_that_is_no_number_leaves_no_finite_loss(bad: float) -> None:
    found = losses(torch.tensor([[bad, 0.0], [0.0, 1.0]]), [1, 1])
    assert not math.isfinite(found[0])
    assert found[1] == math.log(1 + math.exp(-1))


def test_log_probabilities_are_logits_exactly_where_they_are_exact() -> None:
    """log p = −log 8 eight times: the row's largest is taken off, as from any other equal logits."""
    assert losses(torch.full((1, 8), -math.log(8)).double(), [3]) == [math.log(8)]


def test_log_probabilities_are_logits_up_to_their_own_rounding() -> None:
    """log_softmax of log_softmax is log_softmax: normalised values have a logarithm of sum 0.

    In float64: each of the 500 log-probabilities (below 16) is off by at most 8 · 2⁻⁵³ · few, and
    the sum's logarithm by no more than the worst of them; 2⁻⁴⁶ is 16 units of 2⁻⁵⁰.
    """
    logits = torch.randn(40, 500, generator=torch.Generator().manual_seed(0)).double()
    targets = list(range(40))
    plain, again = losses(logits, targets), losses(torch.log_softmax(logits, -1), targets)
    assert max(abs(a - b) for a, b in zip(plain, again, strict=True)) < 2.0**-46


def test_half_precision_is_read_exactly() -> None:
    row = torch.tensor([[1.5, -2.25, 0.125]])
    assert losses(row.to(torch.bfloat16), [1]) == losses(row, [1]) == losses(row.half(), [1])


def test_large_logits_do_not_overflow() -> None:
    assert losses(torch.tensor([[1e30, 1e30], [3e38, 0.0]]), [0, 1])[0] == math.log(2)


def test_grouping_and_order_do_not_change_a_sum() -> None:
    generator = torch.Generator().manual_seed(0)
    found: list[float] = (16 * torch.rand(2000, generator=generator, dtype=torch.float64)).tolist()
    at_once = Totals().plus(found)
    one_by_one = Totals()
    for loss in found:
        one_by_one = one_by_one.plus([loss])
    assert one_by_one == at_once
    assert at_once.nats == sum(map(Fraction, found)) == Totals().plus(sorted(found)).nats
    assert math.fsum(found) == float(at_once.nats)
    *_, naive = accumulate(found)
    assert naive != float(at_once.nats)


def test_perplexity_is_exp_of_the_mean() -> None:
    assert Totals().plus([math.log(2), math.log(8)]).perplexity == math.exp(math.log(16) / 2) == 4.0
    assert Totals().perplexity is None
    assert Totals().plus([800.0]).perplexity is None


def test_the_first_loss_that_is_no_number_is_kept() -> None:
    found = Totals().plus([1.0, math.nan]).plus([2.0, math.inf])
    assert (found.tokens, found.nonfinite, found.first_nonfinite) == (4, 2, 1)
    assert found.nats == 3
    assert found.perplexity is None
