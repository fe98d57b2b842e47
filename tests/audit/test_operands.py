"""Every product is watched on the sides that depend on the input, and called by its layer and weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
import torch.nn.functional as F

from micronet.audit.watched import contradictions
from tests.audit.watching import noise, rounded, watched

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from micronet.audit.watched import Watched


def named(found: tuple[Watched, ...]) -> list[tuple[str, str, str, str | None, int, str]]:
    return [(w.layer, w.operator, w.operand, w.weight, w.call, w.role) for w in found]


def test_functional_calls_are_told_apart_by_their_weights() -> None:
    def functional(model: Any, x: Tensor) -> Any:
        mask = torch.eye(4)[:, :, None, None]
        y = F.conv2d(x, model.conv.weight * 2)
        y = F.conv2d(y, model.last.weight * mask)
        return F.conv2d(y, model.last.weight * mask)

    assert named(watched(functional)) == [
        ("(model)", "convolution", "input", "conv.weight", 0, "layer"),
        ("(model)", "convolution", "input", "last.weight", 0, "layer"),
        ("(model)", "convolution", "input", "last.weight", 1, "layer"),
    ]
    (first, *_) = contradictions(watched(functional), 8)
    assert first.sentence.startswith("(model) (conv.weight): 3,072 different values")


def test_a_layer_is_called_by_its_weight_and_not_by_its_mask_or_its_scale() -> None:
    def masked(model: Any, x: Tensor) -> Any:
        return F.conv2d(x, model.conv.weight * model.a_scale * model.a_mask)

    assert [each.weight for each in watched(masked)] == ["conv.weight"]


def test_a_bias_is_added_and_not_multiplied() -> None:
    def linear(model: Any, x: Tensor) -> Any:
        return F.linear(x.flatten(2)[0].t(), model.conv.weight[:, :, 0, 0], model.a_bias)

    assert named(watched(linear)) == [("(model)", "addmm", "input", "conv.weight", 0, "layer")]


def test_calls_of_one_layer_are_watched_apart() -> None:
    """Each of them sees 4 bits, of a scale of its own; together they would be 31 values."""

    def twice(model: Any, x: Tensor) -> Any:
        y = x.abs()
        return model.conv(rounded(y, 0.1, 0, 15)) + model.conv(rounded(y, 0.137, 0, 15))

    assert [(w.layer, w.code, w.bits) for w in watched(twice, noise(8)) if w.role == "layer"] == [
        ("conv", "grid", 4),
        ("conv", "grid", 4),
    ]


def test_two_activations_multiplied_are_watched_on_both_sides() -> None:
    def excite(model: Any, x: Tensor) -> Any:
        y = model.conv(x)
        return y * y.mean((2, 3), keepdim=True).sigmoid()

    found = watched(excite)
    assert named(found)[1:] == [
        ("(model)", "mul", "left", None, 0, "product"),
        ("(model)", "mul", "right", None, 0, "product"),
    ]
    assert (found[1].elements, found[2].elements) == (4 * 4 * 256, 4 * 4)
    assert [(c.layer, c.operand) for c in contradictions(found, 8)] == [
        ("conv", "input"),
        ("(model)", "left"),
    ]


def test_attention_is_watched_as_the_products_that_it_is_made_of() -> None:
    def attend(_: Any, x: Tensor) -> Any:
        return F.scaled_dot_product_attention(x, x, x)

    found = [each for each in watched(attend) if each.role == "layer"]
    assert [(each.operator, each.operand) for each in found] == [
        ("bmm", "left"), ("bmm", "right"), ("bmm", "left"), ("bmm", "right"),
    ]  # fmt: skip


@pytest.mark.parametrize("scaled", [
    lambda _, x: x * 0.5,
    lambda _, x: 3 / x,
    lambda m, x: x * m.scale,
    lambda _, x: x / x.abs().amax((2, 3), keepdim=True),
    lambda _, x: x * x.mean(),
], ids=["number", "divided", "constant", "norm", "one number"])  # fmt: skip
def test_rescaling_is_watched_and_not_judged(scaled: Callable[[Any, Tensor], Tensor]) -> None:
    found = watched(scaled)
    assert {each.role for each in found} == {"rescaling"}
    assert found[0].distinct == 3072
    assert contradictions(found, 8) == contradictions(found, {"(model)": 8}) == ()


@pytest.mark.parametrize(("product", "operands"), [
    (lambda _, x: x * x, ["input"]),
    (lambda _, x: x.square(), ["input"]),
    (lambda _, x: x**2, ["input"]),
    (lambda _, x: 2**x + x.abs() ** x + x.abs() ** 0.5, []),
    (lambda _, x: x * x.flip(3), ["left", "right"]),
    (lambda _, x: torch.addcmul(x, x, x.flip(3)), ["left", "right"]),
    (lambda _, x: x @ x.flip(3), ["left", "right"]),
    (lambda m, x: m.conv.weight[:, 0, 0, 0].outer(x.flatten()), ["input"]),
    (lambda _, x: torch.einsum("bchw,bcvw->bhv", x, x.flip(2)), ["left", "right"]),
    (lambda _, x: F.conv2d(x, x), ["input"]),
    (lambda _, x: F.linear(x, torch.ones(2, 16)), ["input"]),
    (lambda _, x: torch.ones(1, 5, 3) @ x.flatten(2), ["input"]),
    (lambda _, x: x + x, []),
], ids=lambda case: "-".join(case) if isinstance(case, list) else None)  # fmt: skip
def test_every_product_is_watched(
    product: Callable[[Any, Tensor], Tensor], operands: list[str]
) -> None:
    def run(model: Any, x: Tensor) -> Any:
        return product(model, x) if operands else model.conv(product(model, x))

    found = [each for each in watched(run) if each.layer == "(model)"]
    assert [each.operand for each in found] == operands
    assert all(each.distinct is not None and each.distinct > 700 for each in found)


def test_what_is_overwritten_was_watched_before() -> None:
    found = watched(lambda m, x: m.conv(x).mul_(0).add_(1).mul_(m.scale))
    assert [(each.operator, each.code) for each in found] == [
        ("convolution", "float"),
        ("mul", "float"),
        ("mul", "constant"),
    ]


def test_what_takes_no_more_than_a_shape_from_the_input_does_not_depend_on_it() -> None:
    found = watched(
        lambda m, x: m.conv(x) + m.conv(torch.ones_like(x)) + m.conv(x.new_ones(x.shape))
    )
    assert len(found) == 1


def test_weights_are_not_activations() -> None:
    def quantising(model: Any, x: Tensor) -> Any:
        step = model.conv.weight.abs().max() / 7
        return F.conv2d(x, rounded(model.conv.weight, step, -7, 7))

    assert len(watched(quantising)) == 1
