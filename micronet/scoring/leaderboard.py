"""The challenge's official scores, to stand a score beside those of the field's own teams."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from micronet.scoring.tables import Table, pick, read
from micronet.scoring.tracks import tracks
from micronet.shelf import folder

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path


@dataclass(frozen=True)
class Ranked:
    """One entry of a track's final ranking. ``score`` is the printed decimal, exactly."""

    track: str
    entry: str
    repository: str
    score: Fraction
    verified: bool
    qualified: bool


def leaderboard(track: str) -> tuple[Ranked, ...]:
    """The final ranking of a track, best score first."""
    return pick("track", track, _shipped())


@cache
def _shipped() -> dict[str, tuple[Ranked, ...]]:
    return load(folder("scoring") / "leaderboard.toml")


def load(path: Path) -> dict[str, tuple[Ranked, ...]]:
    """Read and check a leaderboard; every problem is named in one MicronetError."""
    table = read(path)
    table.text("source")
    found = {known.name: _ranking(known.name, table) for known in tracks()}
    table.done()
    return found


def _ranking(track: str, table: Table) -> tuple[Ranked, ...]:
    rows = table.tables(track)
    ranking = tuple(_ranked(track, row) for row in rows)
    for row, (above, below) in zip(rows[1:], pairwise(ranking), strict=True):
        if row.sound() and below.score < above.score:
            row.problem("score", f"should be at least {float(above.score)}, the score above it")
    return ranking


def _ranked(track: str, row: Table) -> Ranked:
    return Ranked(
        track=track,
        entry=row.text("entry"),
        repository="https://github.com/" + row.text("repository"),
        score=row.fraction("score"),
        verified=row.boolean("verified"),
        qualified=row.boolean("qualified", default=True),
    )
