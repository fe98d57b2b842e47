"""Which norms go into the layer before them, how exactly, and which are left with what reason."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize

from micronet.models import InputSpec
from micronet.slimming.apply import folded, without_edges
from micronet.slimming.plan import Plan, make_plan
from micronet.slimming.verify import network_of, verified
from tests.slimming.zoo import made_sparse

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGE = (2, 6, 7, 7)


def plan_of(model: nn.Module, shape: tuple[int, ...]) -> Plan:
    inputs = InputSpec(shape)
    network = network_of(model, inputs)
    return verified(model, inputs, network, make_plan(model, network))


class Reused(nn.Module):
    """One layer with its norm, run twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(6, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.norm(self.layer(F.relu(self.norm(self.layer(x)))))
        return result


def pair(layer: nn.Module, norm: nn.Module) -> Callable[[], nn.Module]:
    return lambda: copy.deepcopy(nn.Sequential(layer, norm, nn.ReLU()))


FOLDING = {
    "convolution": (pair(nn.Conv2d(6, 8, 3, bias=False), nn.BatchNorm2d(8)), IMAGE),
    "with a bias": (pair(nn.Conv2d(6, 8, 3), nn.BatchNorm2d(8)), IMAGE),
    "groups": (pair(nn.Conv2d(6, 9, 3, groups=3, bias=False), nn.BatchNorm2d(9)), IMAGE),
    "depthwise": (pair(nn.Conv2d(6, 6, 3, groups=6, bias=False), nn.BatchNorm2d(6)), IMAGE),
    "transposed": (pair(nn.ConvTranspose2d(6, 8, 3, stride=2), nn.BatchNorm2d(8)), IMAGE),
    "transposed groups": (
        pair(nn.ConvTranspose2d(6, 4, 3, groups=2, bias=False), nn.BatchNorm2d(4)),
        IMAGE,
    ),
    "one dimension": (pair(nn.Conv1d(6, 8, 3), nn.BatchNorm1d(8)), (2, 6, 9)),
    "three dimensions": (pair(nn.Conv3d(6, 8, 2), nn.BatchNorm3d(8)), (1, 6, 4, 4, 4)),
    "linear": (pair(nn.Linear(6, 8), nn.BatchNorm1d(8)), (2, 6)),
    "linear without bias": (pair(nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8)), (2, 6)),
    "norm without scale": (pair(nn.Conv2d(6, 8, 3), nn.BatchNorm2d(8, affine=False)), IMAGE),
    "layer and norm run twice": (Reused, IMAGE),
}


def randomised(build: Callable[[], nn.Module]) -> nn.Module:
    model = build()
    torch.manual_seed(4)
    for layer in model.modules():
        if isinstance(layer, _ConvNd | nn.Linear):
            layer.reset_parameters()
    for norm in model.modules():
        if isinstance(norm, _BatchNorm) and not norm.affine:
            norm.running_mean = torch.linspace(-1, 1, norm.num_features)
            return model.eval()
    return made_sparse(model, density=0.6, killed=0)


@pytest.mark.parametrize(("build", "shape"), FOLDING.values(), ids=FOLDING.keys())
def test_a_fold_changes_no_output(build: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    """In float64 to the last digits: only the order of a product and a sum is another."""
    model = randomised(build)
    plan = plan_of(model, shape)
    assert (len(plan.folds), plan.left) == (1, ())
    exact = model.double()
    slim = folded(without_edges(exact, plan.dead), plan.folds)
    assert not [m for m in slim.modules() if isinstance(m, _BatchNorm)]
    x = torch.randn(shape, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(slim(x), model(x), rtol=1e-12, atol=1e-12)


def test_a_fold_is_rounded_once() -> None:
    """float32 weight · float64 scale, then to float32: as the exact product rounds."""
    model = randomised(FOLDING["with a bias"][0])
    layer, norm = (cast("Any", model.get_submodule(name)) for name in "01")
    (fold,) = plan_of(model, IMAGE).folds
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    slim = cast("Any", folded(model, [fold]).get_submodule("0"))
    assert torch.equal(slim.weight, (layer.weight.double() * scale[:, None, None, None]).float())
    shift = norm.bias.double() + (layer.bias.double() - norm.running_mean.double()) * scale
    torch.testing.assert_close(slim.bias.double(), shift, rtol=2**-24, atol=1e-9)


class Own(nn.Module):
    """A layer and a norm, put together by ``run``."""

    def __init__(
        self,
        run: Callable[[Own, Tensor], Tensor],
        layer: nn.Conv2d | None = None,
        norm: nn.BatchNorm2d | None = None,
    ) -> None:
        super().__init__()
        self.layer = nn.Conv2d(6, 6, 3, padding=1, bias=False) if layer is None else layer
        self.norm = nn.BatchNorm2d(6) if norm is None else norm
        self.other = nn.Conv2d(6, 6, 1, bias=False)
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


class Deaf(nn.Conv2d):
    """A convolution that ignores its bias."""

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, None, 1, 1)


class Active(nn.BatchNorm2d):
    """A norm that does more than a norm."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(super().forward(x))


class Halved(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight / 2


def functional(net: Own, x: Tensor) -> Tensor:
    norm = net.norm
    y = net.layer(x)
    return F.batch_norm(y, norm.running_mean, norm.running_var, norm.weight, norm.bias)


def quantised() -> nn.Conv2d:
    """Weights of 15 levels: the norm's scales would make them 15 levels a channel, and inexact."""
    layer = nn.Conv2d(6, 6, 3, padding=1, bias=False)
    with torch.no_grad():
        layer.weight.copy_((layer.weight / layer.weight.abs().max() * 7).round() * 0.013)
    return layer


def computed() -> nn.Conv2d:
    layer = nn.Conv2d(6, 6, 3, padding=1, bias=False)
    parametrize.register_parametrization(layer, "weight", Halved())
    return layer


LEFT: dict[str, tuple[Callable[[], Own], str]] = {
    "functional": (lambda: Own(functional), "not a batch norm module"),
    "norm with a ReLU": (
        lambda: Own(lambda n, x: n.norm(n.layer(x)), norm=Active(6)),
        "not a batch norm module that does nothing else",
    ),
    "norm also elsewhere": (
        lambda: Own(lambda n, x: n.norm(F.relu(n.norm(n.layer(x))))),
        "also runs where it does not follow a layer",
    ),
    "norm of two layers": (
        lambda: Own(lambda n, x: n.norm(n.layer(x)) + n.norm(n.other(x))),
        "follows several layers",
    ),
    "functional layer": (
        lambda: Own(lambda n, x: n.norm(F.conv2d(x, n.layer.weight[:6]))),
        "what runs before it, in the model itself, is not",
    ),
    "computed weight": (
        lambda: Own(lambda n, x: n.norm(n.layer(x)), computed()),
        "layer.weight is computed or shared",
    ),
    "weight read elsewhere": (
        lambda: Own(lambda n, x: n.norm(n.layer(x)) * n.layer.weight.flatten()[:1]),
        "layer.weight is read elsewhere too",
    ),
    "something computed from it": (
        lambda: Own(lambda n, x: n.norm(n.layer(x)) * n.layer.weight.norm()),
        "something else is computed from layer.weight",
    ),
    "no use for a bias": (
        lambda: Own(lambda n, x: n.norm(n.layer(x)), Deaf(6, 6, 3, bias=False)),
        "layer runs code of its own that adds no bias",
    ),
}


@pytest.mark.parametrize(("build", "reason"), LEFT.values(), ids=LEFT.keys())
def test_a_norm_that_cannot_go_is_left_with_its_reason(
    build: Callable[[], Own], reason: str
) -> None:
    model = build()
    with torch.no_grad():
        model.norm.weight.uniform_(0.5, 1.5)
        model.norm.bias.normal_()
    plan = plan_of(model.eval(), IMAGE)
    assert plan.folds == ()
    assert [reason in left.reason for left in plan.left] == [True]


def test_a_weight_on_one_grid_takes_no_scale_for_each_channel() -> None:
    """The counter prices that norm as an operation of its own, so there is nothing to fold."""
    model = Own(lambda n, x: n.norm(n.layer(x)), quantised())
    plan = plan_of(model.eval(), IMAGE)
    assert (plan.folds, plan.left) == ((), ())
