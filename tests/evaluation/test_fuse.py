"""Folded norms compute the same; whatever one run cannot prove to be foldable is left alone."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune
from torchvision import models

from micronet.evaluation.fuse import fused
from tests.evaluation.nets import Small, seeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

ROUNDING = 1e-12  # of the largest output; float64 rounds at 2.2e-16 and the nets are a hundred deep
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def norms(net: nn.Module) -> int:
    return sum(isinstance(each, NORMS) for each in net.modules())


def images(count: int = 4, pixels: int = 32, scale: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return scale * torch.randn(count, 3, pixels, pixels, generator=generator, dtype=torch.float64)


def apart(net: nn.Module, found: nn.Module, batch: Tensor) -> float:
    """How far outputs are apart, as a share of the largest."""
    with torch.inference_mode():
        one, other = net(batch), found(batch)
    return float((one - other).abs().max() / one.abs().max())


# Norms that stay: of GoogLeNet those of its training, of DenseNet those after a concatenation.
ARCHITECTURES = {
    "mobilenet_v2": 0,
    "mobilenet_v3_small": 0,
    "efficientnet_b0": 0,
    "resnet18": 0,
    "shufflenet_v2_x0_5": 0,
    "mnasnet0_5": 0,
    "googlenet": 2,
    "regnet_y_400mf": 0,
    "densenet121": 62,
}


@pytest.mark.parametrize(("name", "left"), ARCHITECTURES.items())
def test_torchvisions_networks_compute_the_same_without_their_norms(name: str, left: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on how GoogLeNet is initialised
        net = models.get_model(name, weights=None, num_classes=10)
    net = seeded_gently(net).double()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    found = fused(net, images(1))
    assert norms(found) == left < norms(net)
    assert apart(net, found, images()) < ROUNDING
    assert {key: torch.equal(value, before[key]) for key, value in net.state_dict().items()} == (
        dict.fromkeys(before, True)
    )
    assert not any(module._forward_hooks for module in net.modules())


def seeded_gently(net: nn.Module) -> nn.Module:
    """Statistics as after training, and torch's own initialisation for what is deep."""
    for number, module in enumerate(net.modules()):
        if isinstance(module, NORMS):
            generator = torch.Generator().manual_seed(number)
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.uniform_(-0.2, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.uniform_(module.bias, -0.2, 0.2, generator=generator)
    return net.eval()


class Unfollowed(Small):
    """No tracer follows a loop over the data."""

    def forward(self, images: Tensor) -> Tensor:
        found = self.first_norm(self.first(images))
        while float(found.abs().max()) > 1:
            found = found / 2
        return self.head(self.second_norm(self.second(found)).mean((2, 3)))  # type: ignore[no-any-return]


class TwoReaders(Small):
    """The output of the first convolution is needed without the norm, too."""

    def forward(self, images: Tensor) -> Tensor:
        found = self.first(images)
        found = self.first_norm(found) + 1e-9 * found
        return self.head(self.second_norm(self.second(found)).mean((2, 3)))  # type: ignore[no-any-return]


class RarelyTwoReaders(Small):
    """The same, but only a bright image shows it."""

    def forward(self, images: Tensor) -> Tensor:
        found = self.first(images)
        found = self.first_norm(found) + F.relu(found - 9)
        return self.head(self.second_norm(self.second(found)).mean((2, 3)))  # type: ignore[no-any-return]


class ChangedInPlace(Small):
    """Between convolution and norm bright outputs are cut off, in the same tensor."""

    def forward(self, images: Tensor) -> Tensor:
        found = self.first(images)
        found.clamp_(-9, 9)
        found = self.first_norm(found)
        return self.head(self.second_norm(self.second(found)).mean((2, 3)))  # type: ignore[no-any-return]


class ReadsTheNorm(Small):
    """The norm's weight is used outside of it."""

    def forward(self, images: Tensor) -> Tensor:
        found = self.first_norm(self.first(images)) * self.first_norm.weight.mean()
        return self.head(self.second_norm(self.second(found)).mean((2, 3)))  # type: ignore[no-any-return]


class ReadsTheWeight(Small):
    """The convolution's weight is used outside of it."""

    def forward(self, images: Tensor) -> Tensor:
        found = self.first_norm(self.first(images)) + self.first.weight.sum()
        return self.head(self.second_norm(self.second(found)).mean((2, 3)))  # type: ignore[no-any-return]


class SharedModules(nn.Module):
    """One convolution and one norm, each used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, 1, 1)
        self.norm = nn.BatchNorm2d(3)
        self.again = self.norm
        self.other_norm = nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> Tensor:
        found = self.norm(self.conv(images)).relu()
        found = self.other_norm(self.conv(found)) + self.again(found)
        return found.mean((2, 3))  # type: ignore[no-any-return]


class NormAndMore(nn.BatchNorm2d):
    """A norm with an activation, as timm has it."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).clamp(-9, 9)


class WithMore(Small):
    def __init__(self) -> None:
        super().__init__()
        self.first_norm = NormAndMore(16)


class OfTheBatch(Small):
    """The first norm keeps no statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.first_norm = nn.BatchNorm2d(16, track_running_stats=False)


class LinearAcross(nn.Module):
    """A linear layer on the last dimension, its norm on another."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(32, features)
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.linear(images[:, :, 0])).flatten(1)  # type: ignore[no-any-return]


class LinearNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 10)
        self.norm = nn.BatchNorm1d(10)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.linear(images.mean((2, 3))))  # type: ignore[no-any-return]


def pruned() -> nn.Module:
    net = Small()
    prune.random_unstructured(net.first, "weight", amount=0.5)
    return net


def parametrised() -> nn.Module:
    net = Small()
    parametrizations.weight_norm(net.first)
    return net


def hooked() -> nn.Module:
    net = Small()
    net.first.register_forward_hook(lambda _module, _inputs, output: output.clamp(-9, 9))
    net.second_norm.register_forward_pre_hook(lambda _module, inputs: (inputs[0] + 1,))
    return net


def without_affine() -> nn.Module:
    net = Small()
    net.first_norm = nn.BatchNorm2d(16, affine=False)
    return net


# How many norms stay because nothing proves that they could go.
NETS = {
    "plain": (Small, 0),
    "norm without weights": (without_affine, 0),
    "linear and norm": (LinearNorm, 0),
    "no tracer can follow": (Unfollowed, 0),
    "two readers": (TwoReaders, 1),
    "rarely two readers": (RarelyTwoReaders, 1),
    "changed in place": (ChangedInPlace, 1),
    "norm read elsewhere": (ReadsTheNorm, 1),
    "weight read elsewhere": (ReadsTheWeight, 1),
    "shared modules": (SharedModules, 2),
    "norm and more": (WithMore, 1),
    "statistics of the batch": (OfTheBatch, 1),
    "linear across, other features": (lambda: LinearAcross(3, 8), 1),
    "linear across, as many features": (lambda: LinearAcross(3, 3), 1),
    "pruned": (pruned, 1),
    "parametrised": (parametrised, 1),
    "hooked": (hooked, 2),
}


@pytest.mark.parametrize(("make", "left"), NETS.values(), ids=NETS.keys())
def test_only_what_is_proved_is_folded(make: Callable[[], nn.Module], left: int) -> None:
    """Proved on a dark image, and right on bright ones."""
    net = seeded(make()).double()
    found = fused(net, images(1, scale=0.01))
    assert norms(found) == left
    assert apart(net, found, images(1, scale=50)) < ROUNDING
