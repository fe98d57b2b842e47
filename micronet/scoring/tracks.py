"""The challenge's tracks: what is scored against which baseline, at which quality threshold."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from micronet.errors import MicronetError
from micronet.scoring.tables import Table, pick, read
from micronet.shelf import folder

if TYPE_CHECKING:
    from pathlib import Path

METRICS = {"top1": "at least", "perplexity": "at most"}
UNTRACKED: Final = frozenset({"cifar10"})
"""Data sets that cards are for and the challenge is not: no baseline, no threshold."""


class TrackScore(NamedTuple):
    """A MicroNet score and its two parts, exact; lower is better, the baseline itself is 2."""

    storage: Fraction
    operations: Fraction
    total: Fraction


@dataclass(frozen=True)
class Track:
    """One task of the challenge. The baseline is in 32-bit parameters and 32-bit operations."""

    name: str
    title: str
    metric: str
    direction: str
    threshold: Fraction
    threshold_correct: int | None
    examples: int
    baseline_network: str
    baseline_parameters: int
    baseline_operations: int
    input_shape: tuple[int, ...]
    clause: str
    source: str

    def score(self, parameters: Fraction | int, operations: Fraction | int) -> TrackScore:
        """Score a network of so many (32-bit) parameters and operations (Ranking Entries ¶2)."""
        storage = Fraction(parameters) / self.baseline_parameters
        math = Fraction(operations) / self.baseline_operations
        return TrackScore(storage, math, storage + math)

    def qualifies(self, correct: int, of: int) -> bool | None:
        """Whether ``correct`` right answers reach the threshold; None unless ``of`` is all.

        Decided by integers, without rounding. For tracks that count answers.
        """
        if self.threshold_correct is None:
            raise MicronetError(f"Track '{self.name}' is judged by {self.metric}, not by answers.")
        if not 0 <= correct <= of:
            raise MicronetError(f"{correct} correct answers of {of} cannot be.")
        return correct >= self.threshold_correct if self._complete(of) else None

    def qualifies_at(self, value: Fraction | float, of: int) -> bool | None:
        """Whether the metric's ``value`` over ``of`` examples is within; None unless ``of`` is all.

        For tracks judged by a value (perplexity).
        """
        if self.threshold_correct is not None:
            raise MicronetError(f"Track '{self.name}' is judged by its correct answers.")
        return value <= self.threshold if self._complete(of) else None

    def _complete(self, of: int) -> bool:
        if of > self.examples:
            raise MicronetError(f"Track '{self.name}' has {self.examples} examples, found {of}.")
        return of == self.examples


def track(name: str) -> Track:
    """Look up a track: "imagenet", "cifar100" or "wikitext103"."""
    return pick("track", name, _shipped())


def track_or_none(name: str | None) -> Track | None:
    """The track called ``name``; None without a name, and for a data set that is no track."""
    return None if name is None or name in UNTRACKED else track(name)


def tracks() -> tuple[Track, ...]:
    """All tracks, in the file's order."""
    return tuple(_shipped().values())


@cache
def _shipped() -> dict[str, Track]:
    return load(folder("scoring") / "tracks.toml")


def load(path: Path) -> dict[str, Track]:
    """Read and check a file of tracks; every problem is named in one MicronetError."""
    table = read(path)
    rows = table.mapping("track", of=Table.table)
    found = {name: _track(name, row) for name, row in rows.items()}
    table.done()
    return found


def _track(name: str, row: Table) -> Track:
    made = Track(
        name=name,
        title=row.text("title"),
        metric=row.word("metric", METRICS),
        direction=row.word("direction", tuple(METRICS.values())),
        threshold=row.fraction("threshold"),
        threshold_correct=row.count("threshold_correct") if row.has("threshold_correct") else None,
        examples=row.positive("examples"),
        baseline_network=row.text("baseline_network"),
        baseline_parameters=row.positive("baseline_parameters"),
        baseline_operations=row.positive("baseline_operations"),
        input_shape=row.sequence("input_shape", of=Table.positive),
        clause=row.text("clause"),
        source=row.text("source"),
    )
    if row.sound():
        _check(made, row)
    return made


def _check(made: Track, row: Table) -> None:
    """Note what contradicts itself: the direction, and the threshold as a count and as a share."""
    if made.direction != METRICS[made.metric]:
        row.problem("direction", f"should be '{METRICS[made.metric]}' for {made.metric}")
    counted = made.threshold_correct
    if (counted is None) != (made.metric != "top1"):
        row.problem("threshold_correct", "belongs to top1, and to top1 alone")
    elif counted is not None and counted != made.threshold * made.examples:
        wanted = made.threshold * made.examples
        row.problem("threshold_correct", f"is {counted}, but threshold × examples is {wanted}")
