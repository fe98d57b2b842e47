"""A wiring's card (``checkpoints/NAME.toml``): what it is, where it comes from, what is claimed.

Cards are data: every figure stands beside the public source that states it. No torch here.
"""

from __future__ import annotations

import difflib
import functools
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from micronet import shelf
from micronet.checkpoints.card_schema import problems_of
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Source:
    """An address of the weights: a ``file`` that `micronet fetch` gets, or a ``page`` to visit."""

    url: str
    kind: str
    sha256: str | None


@dataclass(frozen=True)
class Paper:
    """Where the architecture was published."""

    title: str
    authors: str
    year: int
    url: str


@dataclass(frozen=True)
class Preprocessing:
    """How an evaluation image becomes the input: pixels for sizes, 0…1 for mean and deviation."""

    resize: int
    crop: int
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Claim:
    """A published figure: as stated ("582M"), as a number (582000000), its unit and its source."""

    quantity: str
    stated: str
    value: int | float
    unit: str
    where: str


@dataclass(frozen=True)
class Card:
    """One wiring. ``weights`` is "released", "never released", "baseline" or "trained".

    ``prune_rate`` belongs to a released file whose weights are stored dense: the share of each
    wiring's entries that the release does not use. ``recipe`` is how it was trained.
    """

    name: str
    title: str
    architecture: str
    config: Mapping[str, Any]
    track: str
    rules: str
    input: tuple[int, ...]
    weights: str
    sources: tuple[Source, ...]
    licence: str
    paper: Paper
    prune_rate: float | None
    preprocessing: Preprocessing | None
    recipe: Mapping[str, Any]
    claims: tuple[Claim, ...]
    notes: tuple[str, ...]


def load_card(path: Path) -> Card:
    """The card in ``path``; MicronetError names every problem of the file at once."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MicronetError(f"{path}: not a readable TOML card: {error}") from error
    problems = problems_of(raw)
    if isinstance(raw.get("name"), str) and raw["name"] != path.stem:
        problems.append(f"name: '{raw['name']}', but the file is '{path.name}'")
    if problems:
        raise MicronetError(f"{path}: {'; '.join(problems)}", "Correct the card.")
    return _card(raw)


def _card(raw: Mapping[str, Any]) -> Card:
    sources = (Source(s["url"], s["kind"], s.get("sha256")) for s in raw.get("sources", ()))
    look = raw.get("preprocessing")
    if look is not None:
        look = Preprocessing(**{**look, "mean": tuple(look["mean"]), "std": tuple(look["std"])})
    return Card(
        name=raw["name"],
        title=raw["title"],
        architecture=raw["architecture"],
        config=raw["config"],
        track=raw["track"],
        rules=raw["rules"],
        input=tuple(raw["input"]),
        weights=raw["weights"],
        sources=tuple(sources),
        licence=raw["licence"],
        paper=Paper(**raw["paper"]),
        prune_rate=raw.get("prune_rate"),
        preprocessing=look,
        recipe=raw.get("recipe", {}),
        claims=tuple(Claim(**claim) for claim in raw["claims"]),
        notes=tuple(raw.get("notes", ())),
    )


def cards() -> tuple[Card, ...]:
    """Every card on the shelf, sorted by name."""
    return _shelved(shelf.folder("checkpoints"))


@functools.lru_cache(maxsize=4)
def _shelved(folder: Path) -> tuple[Card, ...]:
    return tuple(load_card(path) for path in sorted(folder.glob("*.toml")))


def card(name: str) -> Card:
    """The card called ``name``; MicronetError suggests the nearest names otherwise."""
    known = {each.name: each for each in cards()}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise MicronetError(f"There is no card '{name}'.", f"{hint}`micronet list` shows all cards.")
