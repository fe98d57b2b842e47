"""How a wiring is trained, as the [recipe] of its card says. No torch here."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from micronet.errors import MicronetError
from micronet.models.architectures import Setting, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from micronet.checkpoints.card import Card

CROP_AND_FLIP: Final = "random crop with 4 pixels of padding, horizontal flip"
RESIZED_CROP: Final = "random resized crop 224, horizontal flip"
COSINE: Final = "cosine, per iteration"
WARM_COSINE: Final = "5 epochs warm-up, cosine"
STEPS: Final = "steps"

SETTINGS: Final[Mapping[str, Setting]] = MappingProxyType(
    {
        "source": Setting(""),
        "method": Setting("dnw"),
        "epochs": Setting(160, 1, 10_000),
        "batch_size": Setting(128, 1, 65_536),
        "accumulate": Setting(1, 1, 1024),
        "learning_rate": Setting(0.1, 0, 100),
        "schedule": Setting(COSINE, choices=(COSINE, WARM_COSINE, STEPS)),
        "gamma": Setting(0.1, 0, 1),
        "optimizer": Setting("sgd", choices=("sgd",)),
        "momentum": Setting(0.9, 0, 1),
        "nesterov": Setting(default=False),
        "weight_decay": Setting(1e-4, 0, 1),
        "weight_decay_on_batch_norm": Setting(default=True),
        "label_smoothing": Setting(0.0, 0, 1),
        "average": Setting(0.0, 0, 1),
        "autocast": Setting("none", choices=("none", "bf16")),
        "train_transform": Setting(CROP_AND_FLIP, choices=(CROP_AND_FLIP, RESIZED_CROP)),
        "budgets": Setting("graph", choices=("graph", "erk", "global")),
        "initialisation": Setting(""),
        "seed": Setting(1996, 0, 2**31),
    }
)
_LISTS: Final = ("milestones", "cycle_rates")
_TABLES: Final = ("knobs",)
_WORDS: Final = ("source", "seed", "initialisation")
_NEEDED: Final = ("epochs", "batch_size", "learning_rate", "schedule")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights but the data, the seed and the machine.

    ``learning_rate`` follows ``schedule``: "steps" multiplies it by ``gamma`` at the epochs of
    ``milestones``. ``cycle_rates``, if any, split the epochs into as many equal cycles, each with
    its own first rate. ``accumulate``: parts that a batch is computed in. ``average``: decay of the
    weights' exponential moving average, 0 for none. ``budgets``: which weights compete ("graph":
    as the architecture says). ``knobs`` are the method's own.
    """

    source: str
    method: str
    epochs: int
    batch_size: int
    accumulate: int
    learning_rate: float
    schedule: str
    gamma: float
    optimizer: str
    momentum: float
    nesterov: bool
    weight_decay: float
    weight_decay_on_batch_norm: bool
    label_smoothing: float
    average: float
    autocast: str
    train_transform: str
    budgets: str
    initialisation: str
    seed: int
    milestones: tuple[int, ...] = ()
    cycle_rates: tuple[float, ...] = ()
    knobs: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As plain values, for a checkpoint's provenance."""
        plain = {key: list(v) if isinstance(v, tuple) else v for key, v in _fields(self).items()}
        return {**plain, "knobs": dict(self.knobs)}

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits of every knob that is not at its default, the seed left out."""
        plain = {key: setting.default for key, setting in SETTINGS.items()}
        told = {
            key: value
            for key, value in self.document().items()
            if value != plain.get(key) and value not in ([], {}) and key not in _WORDS
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]


def _fields(recipe: Recipe) -> dict[str, Any]:
    return {key: value for key, value in vars(recipe).items() if key != "knobs"}


def recipe_of(card: Card, changes: Mapping[str, Any] | None = None) -> Recipe:
    """The card's recipe with ``changes``; MicronetError names every wrong or missing key."""
    raw = {**card.recipe, **(changes or {})}
    if not card.recipe:
        raise MicronetError(
            f"The card {card.name} has no recipe.", "`micronet show NAME` shows a card's recipe."
        )
    problems = [f"{key} is missing" for key in _NEEDED if key not in raw]
    values: dict[str, Any] = {key: setting.default for key, setting in SETTINGS.items()}
    for key, value in raw.items():
        if key in SETTINGS:
            accepted = SETTINGS[key].accept(value)
            if accepted is None:
                problems.append(f"{key} = {value!r}, expected {SETTINGS[key].describe()}")
            values[key] = accepted
        elif key in _LISTS and _numbers(value):
            values[key] = tuple(value)
        elif key in _TABLES and isinstance(value, dict):
            values[key] = dict(value)
        elif key in (*_LISTS, *_TABLES):
            problems.append(
                f"{key} = {value!r}, expected {'numbers' if key in _LISTS else 'a table'}"
            )
        else:
            problems.append(f"{key} is unknown. {suggestion(key, SETTINGS)}")
    if problems:
        raise MicronetError(
            f"The recipe of {card.name}: {'; '.join(problems)}", "Correct the card."
        )
    return Recipe(**values)


def _numbers(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(item, int | float) and not isinstance(item, bool) for item in value
    )
