"""The architectures micronet can build, and what may be set in each. Imports no torch.

Every setting has limits, so that a configuration read from somebody's checkpoint cannot ask for
more memory than a machine has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = int | float | str | bool


@dataclass(frozen=True)
class InputSpec:
    """What a model eats: the shape with its batch of one, and the element type."""

    shape: tuple[int, ...]
    dtype: Literal["float32", "int64"] = "float32"


@dataclass(frozen=True)
class Setting:
    """One key of a configuration: its default (which fixes the type) and what else is allowed."""

    default: Value
    low: float = 1
    high: float = float("inf")
    choices: tuple[Value, ...] = ()

    def accept(self, value: object) -> Value | None:
        """``value``, or None if its type or range is wrong; an int may stand for a float."""
        wanted = type(self.default)
        if wanted is float and type(value) is int:
            value = float(value)
        if not isinstance(value, wanted) or isinstance(value, bool) != (wanted is bool):
            return None
        if self.choices and value not in self.choices:
            return None
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if number and not self.low <= float(value) <= self.high:
            return None
        return value

    def describe(self) -> str:
        """What `accept` accepts, for an error message."""
        if self.choices:
            return " or ".join(repr(choice) for choice in self.choices)
        kind = {"int": "a whole number", "float": "a number", "bool": "true or false"}
        name = kind.get(type(self.default).__name__, "a text")
        return name if isinstance(self.default, bool) else f"{name}, {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Architecture:
    """How to build one architecture.

    ``builder`` is "module:callable", taking the settings as keywords. ``input`` is the default
    input; a setting ``image_size`` overrides its height and width.
    """

    builder: str
    input: InputSpec
    settings: Mapping[str, Setting] = field(default_factory=dict)

    def complete(self, name: str, config: Mapping[str, object]) -> dict[str, Value]:
        """``config`` with the defaults filled in; MicronetError for an unknown or wrong key."""
        settings = {key: setting.default for key, setting in self.settings.items()}
        for key, value in config.items():
            if key not in self.settings:
                raise MicronetError(
                    f"{name} has no setting '{key}'.", suggestion(key, self.settings)
                )
            accepted = self.settings[key].accept(value)
            if accepted is None:
                raise MicronetError(
                    f"{name}: {key} = {value!r} is not allowed.",
                    f"Expected {self.settings[key].describe()}.",
                )
            settings[key] = accepted
        return settings


def suggestion(word: str, known: Mapping[str, object]) -> str:
    """The next step for an unknown ``word``: the one or two nearest known ones, or all."""
    near = get_close_matches(word, list(known), n=2, cutoff=0.7)
    if near:
        return f"Did you mean {' or '.join(repr(name) for name in near)}?"
    return f"Known: {', '.join(known)}." if known else "It takes no settings."


IMAGENET = InputSpec((1, 3, 224, 224))
CIFAR = InputSpec((1, 3, 32, 32))
ONE_TOKEN = InputSpec((1, 1), "int64")

_CLASSES = Setting(1000, 1, 100_000)
_WIRING = Setting("dnw", choices=("dnw", "random"))
_DENSITY_FLOOR = 0.01
_TINY = {
    "dim": Setting(800, 132, 8192),
    "edges": Setting(32_000, 1, 8192**2),
    "steps": Setting(5, 2, 100),
    "classes": Setting(10, 1, 1000),
    "wiring": _WIRING,
}
_WIDTH = Setting(1.0, 0.1, 4)

_TABLE: dict[str, Architecture] = {
    "mobilenetv1_dnw": Architecture(
        "micronet.models.mobilenetv1_dnw:MobileNetV1DNW",
        IMAGENET,
        {
            "width": Setting(1, choices=(1, 2)),
            "density": Setting(0.225, _DENSITY_FLOOR, 1),
            "classifier": Setting("dense", choices=("dense", "sparse")),
            "wiring": _WIRING,
            "classes": _CLASSES,
            "image_size": Setting(224, 8, 1024),
        },
    ),
    "tiny_static": Architecture("micronet.models.tiny_dnw:TinyStatic", CIFAR, _TINY),
    "tiny_discrete": Architecture("micronet.models.tiny_dnw:TinyDiscrete", CIFAR, _TINY),
    "tiny_continuous": Architecture("micronet.models.tiny_dnw:TinyContinuous", CIFAR, _TINY),
    "resnet50_sparse": Architecture(
        "micronet.models.resnet50_sparse:build",
        IMAGENET,
        {
            "density": Setting(0.1, 0.001, 1),
            "dense_first": Setting(default=False),
            "classes": _CLASSES,
        },
    ),
    "mobilenet_v1": Architecture(
        "micronet.models.mobilenet:MobileNetV1", IMAGENET, {"width": _WIDTH}
    ),
    "mobilenet_v2": Architecture(
        "micronet.models.mobilenet:mobilenet_v2", IMAGENET, {"width": _WIDTH}
    ),
    "nasnet_a_mobile": Architecture("micronet.models.nasnet_a:build", IMAGENET),
    "pnasnet5_mobile": Architecture("micronet.models.pnasnet5:build", IMAGENET),
    "darts_imagenet": Architecture(
        "micronet.models.darts:Darts",
        IMAGENET,
        {
            "genotype": Setting("iclr", choices=("iclr", "first-release")),
            "channels": Setting(48, 4, 512),
        },
    ),
    "wideresnet": Architecture(
        "micronet.models.wideresnet:WideResNet",
        CIFAR,
        {
            "depth": Setting(28, 10, 100),
            "widen": Setting(10, 1, 20),
            "classes": Setting(100, 1, 1000),
        },
    ),
    "lstm_lm": Architecture(
        "micronet.models.lstm_lm:LstmLanguageModel",
        ONE_TOKEN,
        {
            "vocabulary": Setting(267_735, 2, 1_000_000),
            "embedding": Setting(512, 1, 4096),
            "hidden": Setting(2048, 1, 8192),
        },
    ),
    "efficientnet_lite0": Architecture(
        "micronet.models.efficientnet_lite:EfficientNetLite0", IMAGENET
    ),
}
ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(_TABLE)
