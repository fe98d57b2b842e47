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
    """Where weights are: a ``file`` that `micronet fetch` gets, a ``page``, a ``package``, "shipped".

    The weights of a package are its ``file``, a path within the folder of the Python package
    ``package``; ``url`` is then the package's page. Shipped weights lie beside the card, and have
    no ``url``.
    """

    url: str | None
    kind: str
    sha256: str | None
    package: str | None = None
    file: str | None = None


@dataclass(frozen=True)
class Paper:
    """Where the architecture was published."""

    title: str
    authors: str
    year: int
    url: str


@dataclass(frozen=True)
class Preprocessing:
    """How an evaluation image becomes the input, in this order; None leaves a step out.

    ``resize`` in pixels: the length that the shorter side gets, or (height, width) that the whole
    image is squashed to, by ``interpolation`` ("none" where nothing is resized). ``antialias``:
    whether shrinking looks at every pixel. ``crop`` in pixels: the side of the square kept from
    the centre. ``mean`` and ``std`` of the colours red, green, blue as numbers from 0 to 1.
    """

    resize: int | tuple[int, int] | None
    crop: int | None
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    antialias: bool = True


def described(look: Preprocessing) -> str:
    """``look`` in one line, step by step: "resize 256 (bicubic), crop 224, mean …, deviation …"."""
    size = look.resize
    sides = f"{size[0]}x{size[1]}" if isinstance(size, tuple) else str(size)
    how = look.interpolation if look.antialias else f"{look.interpolation}, not antialiased"
    steps = [f"resize {sides} ({how})"] if size is not None else ["no resize"]
    steps.append(f"crop {look.crop}" if look.crop is not None else "no crop")
    return ", ".join((*steps, f"mean {look.mean}", f"deviation {look.std}"))


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
    "baseline": an architecture that others are compared with, whose weights nobody offers here.
    "trained": we trained them, and ship NAME.pt beside the card. ``track`` may also be a data set
    that is no track of the challenge ("cifar10"): then there is nothing to score against.
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
    sources = (
        Source(**{"url": None, "sha256": None, **source}) for source in raw.get("sources", ())
    )
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
        preprocessing=_preprocessing(raw.get("preprocessing")),
        recipe=raw.get("recipe", {}),
        claims=tuple(Claim(**claim) for claim in raw["claims"]),
        notes=tuple(raw.get("notes", ())),
    )


def _preprocessing(raw: Mapping[str, Any] | None) -> Preprocessing | None:
    if raw is None:
        return None
    rows = {key: tuple(value) for key, value in raw.items() if isinstance(value, list)}
    return Preprocessing(**{"resize": None, "crop": None, **raw, **rows})


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
