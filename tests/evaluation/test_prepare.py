"""The fast form of a network is used where it computes the same, and never where it does not."""

from __future__ import annotations

import copy
import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision import models

from micronet.errors import MicronetError
from micronet.evaluation.jumps import can_jump
from micronet.evaluation.network import Arithmetic, logits
from micronet.evaluation.predict import answers
from micronet.evaluation.prepare import NOISE, prepared
from tests.evaluation.nets import CLASSES, LooksAround, Small, not_a_number, seeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from micronet.evaluation.network import Network


def images(count: int, pixels: int = 32) -> Tensor:
    """Different images, bright and dark."""
    generator = torch.Generator().manual_seed(5)
    brightness = torch.linspace(0.2, 3, count)[:, None, None, None]
    return torch.randn(count, 3, pixels, pixels, generator=generator) * brightness


def ready(net: nn.Module, **arithmetic: Any) -> Network:
    return prepared(net, Arithmetic(**arithmetic), images(1), CLASSES)


def by_hand(net: nn.Module, batch: Tensor) -> Tensor:
    """Outputs of the untouched network for each image alone."""
    with torch.inference_mode():
        return torch.cat([logits(net(one), 1, CLASSES) for one in batch.split(1)])


class Wrapped(Small):
    """Gives its outputs as other libraries do."""

    def __init__(self, wrap: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.wrap = wrap

    def forward(self, images: Tensor) -> Any:
        return self.wrap(super().forward(images))


class Named(NamedTuple):
    logits: Tensor
    aux: Tensor


class Silent:
    """Neither a tensor nor anything with one."""


class NormOfTheBatch(nn.Module):
    """The very first layer normalises by mean and deviation of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3, track_running_stats=False)
        self.rest = Small()

    def forward(self, images: Tensor) -> Tensor:
        return self.rest(self.norm(images))  # type: ignore[no-any-return]


class OneAtATime(Small):
    """Made for a batch of one."""

    def forward(self, images: Tensor) -> Tensor:
        found = self.first_norm(self.first(images)).relu()
        found = self.second_norm(self.second(found)).relu().mean((2, 3))
        return self.head(found.reshape(1, 24))  # type: ignore[no-any-return]


class NotToBeCopied(Small):
    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("cannot pickle this")


class AsksForItsNorm(Small):
    """Reads an attribute that a folded norm no longer has."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) * (1 + self.first_norm.eps)


class FeaturesOnly(Small):
    """Leaves its head out."""

    def forward(self, images: Tensor) -> Tensor:
        return self.first(images)  # type: ignore[no-any-return]


class Refusing(Small):
    """Accepts one kind of input only."""

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[-1] != 48:
            raise LookupError("I want 48 pixels")
        return super().forward(images)


class Cancelling(Small):
    """Outputs are small differences of large numbers: rounding is all that is left of them."""

    def forward(self, images: Tensor) -> Tensor:
        found = super().forward(images)
        return (found + 1e6) - 1e6


class Rounding(Small):
    """Activations in steps, as of a quantised network."""

    def forward(self, images: Tensor) -> Tensor:
        found = (self.first_norm(self.first(images)).relu() * 7).round() / 7
        found = (self.second_norm(self.second(found)).relu() * 7).round_() / 7
        return self.head(found.mean((2, 3)))  # type: ignore[no-any-return]


class RarelyTwoReaders(Small):
    """A bright image needs the convolution's output a second time."""

    def forward(self, images: Tensor) -> Tensor:
        found = self.first(images)
        found = self.first_norm(found) + F.relu(found - 5)
        return self.head(self.second_norm(self.second(found)).mean((2, 3)))  # type: ignore[no-any-return]


NETS: dict[str, Callable[[], nn.Module]] = {
    "plain": Small,
    "logits in a dictionary": lambda: Wrapped(lambda found: {"logits": found, "aux": found * 0}),
    "out in a dictionary": lambda: Wrapped(lambda found: OrderedDict(aux=found * 0, out=found)),
    "named tuple": lambda: Wrapped(lambda found: Named(aux=found * 0, logits=found)),
    "tuple": lambda: Wrapped(lambda found: (found, found * 0)),
    "list": lambda: Wrapped(lambda found: [found]),
    "norm of the batch": NormOfTheBatch,
    "maximum of the batch": LooksAround,
    "one at a time": OneAtATime,
    "not to be copied": NotToBeCopied,
    "asks for its norm": AsksForItsNorm,
    "cancelling": Cancelling,
    "rounding": Rounding,
    "rarely two readers": RarelyTwoReaders,
}


@pytest.mark.parametrize("make", NETS.values(), ids=NETS.keys())
def test_an_answer_is_that_of_the_untouched_network_alone(make: Callable[[], nn.Module]) -> None:
    net = seeded(make())
    untouched = seeded(make())
    batch = images(24)
    network = ready(net)
    alone = by_hand(untouched, batch)
    expected = [tuple(row.sort(descending=True, stable=True)[1][:5].tolist()) for row in alone]
    for size in (1, 5, 24):
        found = [each for part in batch.split(size) for each in answers(network, part, CLASSES)]
        assert [each.top for each in found] == expected


@pytest.mark.parametrize("make", NETS.values(), ids=NETS.keys())
def test_the_fast_form_is_as_near_as_it_claims(make: Callable[[], nn.Module]) -> None:
    network = ready(seeded(make()))
    if not math.isinf(network.noise):
        batch = images(24)
        alone = torch.stack([network.alone(one, CLASSES) for one in batch.split(1)])
        apart = (network.outputs(batch, CLASSES) - alone).abs().amax(dim=1)
        assert bool((apart <= network.noise * alone.abs().amax(dim=1)).all())


def test_a_network_that_looks_around_goes_one_image_at_a_time() -> None:
    found = {name for name, make in NETS.items() if math.isinf(ready(seeded(make())).noise)}
    looking = {"norm of the batch", "maximum of the batch", "one at a time"}
    assert found - {"cancelling"} == looking | {"rounding"}


class Steps(nn.Module):
    """Applies one function to what a convolution makes of the image."""

    def __init__(self, step: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, CLASSES, 3)
        self.step = step

    def forward(self, images: Tensor) -> Tensor:
        found = self.conv(images).mean((2, 3))
        return found + self.step(found)  # type: ignore[no-any-return]


STEPS: dict[str, Callable[[Tensor], Any]] = {
    "round": torch.round,
    "floor in place": lambda found: found.clone().floor_(),
    "sign": torch.sign,
    "to integers": lambda found: found.to(torch.int32),
    "comparison": lambda found: torch.where(found > 0.1, found, found * 2),
    "argmax": lambda found: F.one_hot(found.argmax(1), CLASSES),
    "topk": lambda found: found.topk(1)[0],
    "control flow": lambda found: found if float(found.sum()) > 0 else found * 2,
    "fake quantisation": lambda found: torch.fake_quantize_per_tensor_affine(found, 0.1, 0, 0, 255),
}
SMOOTH: dict[str, Callable[[Tensor], Any]] = {
    "relu": F.relu,
    "hard swish": F.hardswish,
    "clamp": lambda found: found.clamp(0, 6),
    "maximum": lambda found: found.max(dim=1, keepdim=True)[0],
    "softmax": lambda found: found.softmax(1),
    "a mask that is no value's": lambda found: torch.where(torch.zeros_like(found) == 0, found, 0),
    "rounded weights": lambda found: found * torch.linspace(0, 1, CLASSES).round(),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_a_step_of_a_value_is_seen(step: Callable[[Tensor], Any]) -> None:
    assert can_jump(seeded(Steps(step)), images(1))


@pytest.mark.parametrize("step", SMOOTH.values(), ids=SMOOTH.keys())
def test_what_is_smooth_is_no_step(step: Callable[[Tensor], Any]) -> None:
    assert not can_jump(seeded(Steps(step)), images(1))


def test_a_well_behaved_network_gets_its_fast_form() -> None:
    net = seeded(Small())
    network = ready(net)
    assert network.noise == NOISE
    assert network.fast is not network.plain is net
    assert not any(isinstance(each, nn.BatchNorm2d) for each in as_module(network.fast).modules())


def as_module(found: Any) -> nn.Module:
    assert isinstance(found, nn.Module)
    return found


@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_b0", "swin_t"])
def test_torchvisions_networks_are_within_the_noise(name: str) -> None:
    torch.manual_seed(0)
    net = models.get_model(name, weights=None, num_classes=CLASSES).eval()
    network = prepared(net, Arithmetic(), images(1, 224), CLASSES)
    assert NOISE <= network.noise < 10 * NOISE


def test_the_network_that_was_given_stays_as_it_was() -> None:
    net = seeded(Small())
    before = copy.deepcopy(net.state_dict())
    ready(net)
    assert list(net.state_dict()) == list(before)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert all(each.is_contiguous() for each in net.parameters())
    assert not any(each._forward_hooks for each in net.modules())


def test_a_network_without_numbers_gives_none() -> None:
    """NaN is no reason to fall over."""
    network = ready(not_a_number())
    assert {each.state for each in answers(network, images(3), CLASSES)} == {"nonfinite"}


@pytest.mark.parametrize("make", [RarelyTwoReaders, NormOfTheBatch, OneAtATime, AsksForItsNorm])
def test_another_arithmetic_rounds_but_is_the_same_network(make: type[nn.Module]) -> None:
    """bf16 has 8 bits: within 5 % of the largest, whoever is in the batch."""
    net = seeded(make())
    batch = images(24)
    alone = by_hand(seeded(make()), batch)
    network = ready(net, dtype="bf16")
    parts = batch.split(1 if math.isinf(network.noise) else 24)
    found = torch.cat([network.outputs(part, CLASSES) for part in parts])
    apart = (found - alone).abs().amax(dim=1) / alone.abs().amax(dim=1)
    assert 0 < float(apart.max()) < 0.05
    assert len(answers(network, batch, CLASSES)) == 24


MISTAKES = {
    "meta": (lambda: Small().to("meta"), "There are no weights to evaluate"),
    "raises": (Refusing, r"cannot compute an input of \[1, 3, 32, 32\]: LookupError"),
    "half": (lambda: Small().half(), "cannot compute an input of"),
    "background class": (lambda: Small(11), r"gives \[1, 11\] for 1 images, expected \[1, 10\]"),
    "other classes": (lambda: Small(100), "the data set has 10 classes"),
    "features": (FeaturesOnly, r"gives \[1, 16, 16, 16\]"),
    "nothing": (lambda: Wrapped(lambda _: None), "returned a NoneType"),
    "something else": (lambda: Wrapped(lambda _: Silent()), "returned a Silent"),
    "empty tuple": (lambda: Wrapped(lambda _: ()), "returned a tuple"),
    "empty dictionary": (lambda: Wrapped(lambda _: {}), "returned a dict"),
    "text": (lambda: Wrapped(lambda _: {"logits": "cat"}), "returned a dict"),
}


@pytest.mark.parametrize(("make", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_what_cannot_be_evaluated_is_said(make: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(MicronetError, match=message) as caught:
        ready(make().eval())
    assert len(str(caught.value).splitlines()) <= 2


def test_fp16_needs_a_device_that_has_it() -> None:
    with pytest.raises(MicronetError, match="fp16 is for CUDA devices"):
        ready(Small(), dtype="fp16")
