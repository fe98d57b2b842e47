"""Methods by name: every file has an entry, every knob its default and its range."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import micronet.training.methods as package
from micronet.errors import MicronetError
from micronet.training.method import Method
from micronet.training.methods.registry import METHODS, method_of
from micronet.training.methods.rigl import RigL
from micronet.training.methods.st3 import ST3

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_METHODS = {"__init__", "registry", "shared"}


def test_every_file_of_the_package_is_listed() -> None:
    files = {path.stem for path in Path(package.__path__[0]).glob("*.py")} - NO_METHODS
    assert {listed.place.partition(":")[0] for listed in METHODS.values()} == files


def test_a_recipe_may_use_eleven_words() -> None:
    assert " ".join(METHODS) == (
        "dnw random-graph no-update l1-anneal targeted-dropout lottery-ticket fine-tune snfs set "
        "rigl st3"
    )


@pytest.mark.parametrize("name", METHODS)
def test_the_listed_knobs_are_those_of_the_class(name: str) -> None:
    found = METHODS[name].load()
    assert issubclass(found, Method)
    defaults = {each.name: each.default for each in fields(found)}  # type: ignore[arg-type]
    assert MISSING not in defaults.values()
    assert defaults == {key: each.default for key, each in METHODS[name].settings.items()}
    assert method_of(name, {}).knobs() == defaults


@pytest.mark.parametrize("name", METHODS)
def test_every_method_tells_its_source_and_how_it_is_launched(name: str) -> None:
    text = sys.modules[METHODS[name].load().__module__].__doc__ or ""
    cards = ("tiny_static_dnw", "tiny_static_random", f"mobilenetv1_cifar10_{name}")
    lines = [f"micronet train {card.replace('-', '_')} --data cifar10" for card in cards]
    assert any(line in text for line in lines)
    assert any(year in text for year in ("2018", "2019", "2020", "2023"))


def test_knobs_are_set() -> None:
    method = method_of("rigl", {"alpha": 0.1, "delta_t": 50})
    assert method == RigL(alpha=0.1, delta_t=50, stop=0.75)
    assert method_of("st3", {"rescale": False, "start": 0}) == ST3(start=0.0, rescale=False)


@pytest.mark.parametrize(
    ("name", "knobs", "message"),
    [
        ("rigl", {"alhpa": 0.3}, "The method rigl has no knob 'alhpa'.\nDid you mean 'alpha'?"),
        ("dnw", {"k": 3}, "The method dnw has no knob 'k'.\nIt takes no settings."),
        (
            "rigl",
            {"alpha": 1.5},
            "The method rigl: alpha = 1.5 is not allowed.\nExpected a number, 0 to 1.",
        ),
        (
            "rigl",
            {"delta_t": 0},
            "The method rigl: delta_t = 0 is not allowed.\nExpected a whole number, 1 to 1e+09.",
        ),
        (
            "rigl",
            {"delta_t": 2.5},
            "The method rigl: delta_t = 2.5 is not allowed.\nExpected a whole number, 1 to 1e+09.",
        ),
        (
            "set",
            {"zeta": True},
            "The method set: zeta = True is not allowed.\nExpected a number, 0 to 1.",
        ),
        (
            "set",
            {"zeta": float("nan")},
            "The method set: zeta = nan is not allowed.\nExpected a number, 0 to 1.",
        ),
        (
            "st3",
            {"rescale": 1},
            "The method st3: rescale = 1 is not allowed.\nExpected true or false.",
        ),
        ("rigle", {}, "Unknown method 'rigle'.\nDid you mean 'rigl'?"),
        (
            "nothing of the kind",
            {},
            (
                "Unknown method 'nothing of the kind'.\nKnown: dnw, random-graph, no-update, "
                "l1-anneal, targeted-dropout, lottery-ticket, fine-tune, snfs, set, rigl, st3."
            ),
        ),
    ],
)
def test_what_is_wrong_is_told(name: str, knobs: Mapping[str, object], message: str) -> None:
    with pytest.raises(MicronetError) as caught:
        method_of(name, knobs)
    assert str(caught.value) == message


def test_the_list_needs_no_torch() -> None:
    code = (
        "import sys; from micronet.training.methods.registry import METHODS; "
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
