"""The methods by the word a recipe uses, and what may be set in each. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from micronet.errors import MicronetError
from micronet.models.architectures import Setting, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from micronet.training.method import Method


@dataclass(frozen=True)
class Listed:
    """A method: its class as "module:class" in this package, and its knobs."""

    place: str
    settings: Mapping[str, Setting] = field(default_factory=dict)

    def load(self) -> type[Method]:
        """The class; imports it, and torch."""
        module, _, name = self.place.partition(":")
        return cast("type[Method]", getattr(import_module(f"{__package__}.{module}"), name))


_TABLE = {
    "dnw": Listed("dnw:DNW"),
    "random-graph": Listed("random_graph:RandomGraph"),
    "no-update": Listed("no_update:NoUpdate"),
    "l1-anneal": Listed(
        "l1_anneal:L1Anneal", {"strength": Setting(1e-5, 0, 1), "stop": Setting(0.75, 0, 1)}
    ),
    "targeted-dropout": Listed("targeted_dropout:TargetedDropout", {"rho": Setting(0.95, 0, 1)}),
    "lottery-ticket": Listed("lottery_ticket:LotteryTicket", {"turn": Setting(0.5, 0, 1)}),
    "fine-tune": Listed("fine_tune:FineTune", {"turn": Setting(0.5, 0, 1)}),
    "snfs": Listed("snfs:SNFS", {"rate": Setting(0.5, 0.005, 1)}),
    "set": Listed("set:SET", {"zeta": Setting(0.3, 0, 1)}),
    "rigl": Listed(
        "rigl:RigL",
        {
            "alpha": Setting(0.3, 0, 1),
            "delta_t": Setting(100, 1, 10**9),
            "stop": Setting(0.75, 0, 1),
        },
    ),
    "st3": Listed(
        "st3:ST3",
        {
            "start": Setting(0.03125, 0, 1),
            "stop": Setting(0.5, 0, 1),
            "rescale": Setting(default=True),
        },
    ),
}
METHODS: Mapping[str, Listed] = MappingProxyType(_TABLE)


def method_of(name: str, knobs: Mapping[str, object]) -> Method:
    """The method ``name`` with ``knobs``, defaults filled in; MicronetError if one is wrong."""
    if name not in METHODS:
        raise MicronetError(f"Unknown method '{name}'.", suggestion(name, METHODS))
    listed = METHODS[name]
    accepted = {}
    for knob, value in knobs.items():
        if knob not in listed.settings:
            raise MicronetError(
                f"The method {name} has no knob '{knob}'.", suggestion(knob, listed.settings)
            )
        setting = listed.settings[knob]
        accepted[knob] = setting.accept(value)
        if accepted[knob] is None:
            raise MicronetError(
                f"The method {name}: {knob} = {value!r} is not allowed.",
                f"Expected {setting.describe()}.",
            )
    return listed.load()(**accepted)
