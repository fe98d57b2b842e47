"""What a package says that cannot be computed from its files: who, under which rules, from where."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.card import Paper, Preprocessing

if TYPE_CHECKING:
    from collections.abc import Mapping

LICENCE_FILE: Final = "see LICENSE"  # the licence of an entry that brings its own text
UNKNOWN_LICENCE: Final = "unknown"


@dataclass(frozen=True)
class Source:
    """The weights before they were packed: the sha256 of their file, and what is to be said of it."""

    sha256: str | None
    note: str


@dataclass(frozen=True)
class Statement:
    """What the packager states. Everything else in a package follows from its files and this.

    ``model`` names the factory of a network that no registry knows ("net.py:small"), whose sources
    are in the package; ``preprocessing`` and ``look_source`` are None where no images go in.
    """

    name: str
    title: str
    track: str
    rules: str
    model: str | None
    input: tuple[int, ...]
    authors: tuple[str, ...]
    licence: str
    paper: Paper | None
    source: Source | None
    preprocessing: Preprocessing | None
    look_source: str | None


def stated(statement: Statement) -> dict[str, Any]:
    """``statement`` as plain values, for the manifest."""
    found = asdict(statement)
    found["input"], found["authors"] = list(statement.input), list(statement.authors)
    if statement.preprocessing is not None:
        found["preprocessing"] = _plain_look(statement.preprocessing)
    return found


def statement_of(found: Mapping[str, Any]) -> Statement:
    """The statement in a manifest that has the right form."""
    paper, source, look = found["paper"], found["source"], found["preprocessing"]
    return Statement(
        name=found["name"],
        title=found["title"],
        track=found["track"],
        rules=found["rules"],
        model=found["model"],
        input=tuple(found["input"]),
        authors=tuple(found["authors"]),
        licence=found["licence"],
        paper=None if paper is None else Paper(**{key: paper[key] for key in _PAPER}),
        source=None if source is None else Source(source["sha256"], source["note"]),
        preprocessing=None if look is None else look_of(look),
        look_source=found["look_source"],
    )


_PAPER: Final = ("title", "authors", "year", "url")
_LOOK: Final = ("resize", "crop", "interpolation", "antialias", "mean", "std")


def look_of(found: Mapping[str, Any]) -> Preprocessing:
    """The preprocessing that a manifest or a receipt describes."""
    values = {key: found[key] for key in _LOOK}
    rows = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    return Preprocessing(**{**values, **rows})


def _plain_look(look: Preprocessing) -> dict[str, Any]:
    found = asdict(look)
    return {k: list(value) if isinstance(value, tuple) else value for k, value in found.items()}
