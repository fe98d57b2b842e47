"""An answer is that of the plain network on the image alone; the fast one only where it must agree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from micronet.errors import MicronetError
from micronet.evaluation.network import Arithmetic, Network
from micronet.evaluation.predict import Answer, _clear, answers
from micronet.evaluation.prediction import NONFINITE, OK, TIED

if TYPE_CHECKING:
    from torch import Tensor

NOISE = 1e-5


class Says(nn.Module):
    """Outputs are the first numbers of the image."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.seen: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(len(images))
        return images.flatten(1)[:, : self.classes].clone()


@dataclass(frozen=True)
class Wrong:
    """A fast network that is off by up to ``by`` of the largest output, in another way each time."""

    by: float

    def __call__(self, images: Tensor) -> Tensor:
        outputs = images.flatten(1)[:, :10].clone()
        push = torch.linspace(-1, 1, outputs.shape[1]).roll(len(images))
        return outputs + push * self.by * outputs.abs().amax(dim=1, keepdim=True)


def said(rows: list[list[float]]) -> Tensor:
    """Images that make ``Says`` give these outputs."""
    outputs = torch.tensor(rows, dtype=torch.float32)
    images = torch.zeros(len(rows), 3, 2, max(2, math.ceil(len(rows[0]) / 6)))
    images.flatten(1)[:, : outputs.shape[1]] = outputs
    return images


def answered(rows: list[list[float]], noise: float = NOISE) -> list[Answer]:
    net = Says(len(rows[0]))
    return answers(Network(net, net, Arithmetic(), noise), said(rows), len(rows[0]))


def test_equal_outputs_go_in_the_order_of_their_classes() -> None:
    assert answered([[0.5] * 10]) == [Answer((0, 1, 2, 3, 4), 0, TIED)]
    assert answered([[0.0] * 10]) == [Answer((0, 1, 2, 3, 4), 0, TIED)]
    assert answered([[1, 3, 2, 3, 0, 2]]) == [Answer((1, 3, 2, 5, 0), 0, TIED)]


def test_a_tie_below_the_best_is_no_tie() -> None:
    assert answered([[9, 0, 0, 0, 0, 0, 0]])[0].state == OK
    assert answered([[9, 0, 0, 0, 0, 0, 0]])[0].top == (0, 1, 2, 3, 4)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [0, 9])
def test_one_output_that_is_no_number_leaves_no_answer(number: float, at: int) -> None:
    row = [float(index) for index in range(10)]
    row[at] = number
    assert answered([row, [*row[1:], 3.5], [5.0] + [1.0] * 9])[0] == Answer((), None, NONFINITE)
    assert answered([row, [5.0, *[1.0] * 9]])[1].state == OK


@pytest.mark.parametrize("classes", [1, 2, 3, 4, 5, 6])
def test_there_may_be_fewer_classes_than_five(classes: int) -> None:
    row = [float(index) for index in range(classes)]
    (answer,) = answered([row])
    assert answer.top == tuple(reversed(range(classes)))[:5]
    assert answer.state == OK


def test_margins_are_whole_percent_rounded_half_up() -> None:
    """Two classes d apart: p1 - p2 = tanh(d / 2)."""
    for percent in (0.4, 0.6, 12.4, 12.6, 49.4, 49.6, 99.4, 99.6):
        apart = 2 * math.atanh(percent / 100)
        assert answered([[apart, 0.0]])[0].margin_percent == round(percent)
    assert answered([[200.0, 0.0]])[0].margin_percent == 100
    assert answered([[7.0]])[0].margin_percent == 100  # the only class there is


def test_a_margin_at_the_edge_is_decided_by_the_image_alone() -> None:
    """12.5 % and the float32 numbers around it: in any batch as alone."""
    edge = torch.tensor(2 * math.atanh(0.125))
    rows = [[float(edge) + step * 2e-8, 0.0] for step in range(-20, 21)]
    one_by_one = [answered([row])[0] for row in rows]
    assert answered(rows) == one_by_one
    assert {each.margin_percent for each in one_by_one} == {12, 13}
    net = Says(2)
    answers(Network(net, net, Arithmetic(), NOISE), said(rows), 2)
    assert net.seen == [41, *[1] * 41]


def test_outputs_a_hair_apart_are_decided_by_the_plain_network() -> None:
    """The fast one has them the other way round, within its noise."""
    for hair in (0.0, 1e-7, -1e-7, 3e-7, 1e-6, -1e-6):
        row = [1.0 + hair, 1.0, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0, -0.1, -0.2]
        plain = Says(10)
        expected = answers(Network(plain, plain, Arithmetic(), NOISE), said([row]), 10)[0]
        assert expected.top[0] == (0 if hair >= 0 else 1)
        for count in (1, 2, 5, 16):
            network = Network(plain, Wrong(4e-6), Arithmetic(), NOISE)
            assert answers(network, said([row] * count), 10) == [expected] * count


def test_the_sixth_class_may_not_slip_in() -> None:
    """Fifth and sixth are equal, the first four are clear."""
    row = [9.0, 8.0, 7.0, 6.0, 5.0, 5.0, 0.0, 0.0, 0.0, 0.0]
    plain = Says(10)
    network = Network(plain, Wrong(4e-6), Arithmetic(), NOISE)
    assert answers(network, said([row]), 10)[0].top == (0, 1, 2, 3, 4)
    assert plain.seen == [1]


def test_what_is_clear_is_computed_once() -> None:
    plain = Says(10)
    row = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
    answers(Network(plain, Wrong(4e-6), Arithmetic(), NOISE), said([row] * 8), 10)
    assert plain.seen == []


def test_where_the_batch_matters_each_image_goes_alone() -> None:
    plain, fast = Says(10), Says(10)
    rows = [[float(index), *[0.0] * 9] for index in range(4)]
    answers(Network(plain, fast, Arithmetic(), math.inf), said(rows), 10)
    assert (plain.seen, fast.seen) == ([1, 1, 1, 1], [])
    answers(Network(plain, fast, Arithmetic("bf16"), math.inf), said(rows), 10)
    assert (plain.seen, fast.seen) == ([1, 1, 1, 1], [1, 1, 1, 1])


def test_another_number_of_classes_is_refused() -> None:
    net = Says(11)
    with pytest.raises(MicronetError, match="10 classes") as caught:
        answers(Network(net, net, Arithmetic(), NOISE), said([[0.0] * 11]), 10)
    assert caught.value.next_step is not None
    assert "background class" in caught.value.next_step


# ---- whatever the fast network says, "sure" is only said where no rounding could change an answer


def exact_margin(outputs: list[float]) -> float:
    """p1 - p2 in percent, summed without float64's rounding getting in."""
    best = max(outputs)
    powers = sorted((Fraction(math.exp(each - best)) for each in outputs), reverse=True)
    return float((powers[0] - powers[1]) / sum(powers) * 100)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=9),
    st.sampled_from([1e-5, 1e-4, 1e-3, 8e-3]),
    st.floats(-9, 9),
    st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=9, max_size=9),
)
def test_sure_means_that_noise_cannot_change_the_answer(
    row: list[float], noise: float, near: float, pushes: list[float]
) -> None:
    """The worst of many pushes within the noise: order and rounded margin stay."""
    row = [each + near for each in row]
    outputs = torch.tensor([row], dtype=torch.float64)
    (sure,), (top,), (margin,) = _clear(outputs, noise)
    if not sure:
        return
    error = noise * max(abs(each) for each in row)
    best = top[0]
    worst = [
        [each * error for each in pushes[: len(row)]],
        [-error if index == best else error for index in range(len(row))],
        [error if index == best else -error for index in range(len(row))],
        [-error if index in top[::2] else error for index in range(len(row))],
    ]
    for push in worst:
        moved = [each + step for each, step in zip(row, push, strict=True)]
        order = sorted(range(len(moved)), key=lambda index: (-moved[index], index))
        assert order[:5] == top
        assert math.floor(exact_margin(moved) + 0.5) == margin


def test_sure_is_said_of_what_is_plain_to_see() -> None:
    """Else everything would go to the plain network, and the property above would be empty."""
    outputs = torch.randn(1000, 100, generator=torch.Generator().manual_seed(0)).double() * 5
    assert sum(_clear(outputs, NOISE)[0]) > 950


def test_two_outputs_may_move_towards_each_other() -> None:
    """An error of 1 % of 20 each: 0.3 apart they may meet, 0.5 apart they may not."""
    rows = torch.tensor([[20.0, 1.0, 0.7], [20.0, 1.0, 0.5]], dtype=torch.float64)
    assert _clear(rows, 0.01)[0] == [False, True]


def test_a_large_error_moves_a_margin_by_more_than_its_slope() -> None:
    """8.1 apart the margin is 99.94 %; an error of 1.5 each leaves 5.1, which is 98.79 %."""
    rows = torch.tensor([[8.1, 0.0, -187.5]], dtype=torch.float64)
    assert _clear(rows, 0.008)[0] == [False]
    assert exact_margin([8.1, 0.0]) > 99.5 > exact_margin([6.6, 1.5])
