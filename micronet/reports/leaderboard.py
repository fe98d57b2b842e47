"""The challenge's official ranking with our scores where they would stand, and marked as ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from micronet.reports.submission import measured
from micronet.reports.table import Cell, Column, Note, Notes, Row, Table
from micronet.scoring.leaderboard import Ranked, leaderboard

if TYPE_CHECKING:
    from fractions import Fraction

    from micronet.reports.material import Material, Network
    from micronet.reports.table import Tone
    from micronet.scoring.tracks import Track

SOURCE: Final = "https://micronet-challenge.github.io/leaderboard"
COLUMNS: Final = (
    Column("place", "Place", gives_way=1),
    Column("entry", "Entry", text=True),
    Column("score", "Score", decimals=4),
    Column("standing", "Standing", text=True),
    Column("repository", "Repository", text=True, gives_way=2),
)


def leaderboard_table(material: Material, track: Track) -> Table:
    """The official entries of ``track`` with their places, our rows between them without one.

    Of equal scores the official entry comes first: it was there first.
    """
    notes = Notes()
    official = leaderboard(track.name)
    ranked: list[tuple[Fraction, int, Row]] = [
        (entry.score, place, _official(entry, place)) for place, entry in enumerate(official, 1)
    ]
    for network in material.networks:
        if network.track.name == track.name:
            score = network.receipt.score(track).total
            above = sum(entry.score <= score for entry in official)
            ranked.append((score, len(official) + 1, _ours(network, score, above + 1, notes)))
    ranked.sort(key=lambda entry: entry[:2])
    return Table(
        name=f"leaderboard-{track.name}",
        title=f"Leaderboard, {track.title}",
        columns=COLUMNS,
        rows=tuple(row for *_, row in ranked),
        notes=notes.all(
            [
                Note(
                    "The places are those of the official ranking; lower scores are better.", SOURCE
                ),
                Note("Rows without a place were scored here and were never submitted."),
            ]
        ),
    )


def _official(entry: Ranked, place: int) -> Row:
    standing = "verified" if entry.verified else "not verified"
    tone: Tone = "" if entry.verified else "quiet"
    if not entry.qualified:
        standing, tone = "below the quality threshold", "bad"
    return Row(
        (
            Cell(place),
            Cell(entry.entry),
            Cell(entry.score),
            Cell(standing, tone=tone),
            Cell(entry.repository.removeprefix("https://")),
        )
    )


def _ours(network: Network, score: Fraction, place: int, notes: Notes) -> Row:
    standing, tone = _standing(network)
    cell = measured(network.quality, notes)
    return Row(
        (
            Cell(None, stated="here"),
            Cell(network.name),
            Cell(score),
            Cell(f"would stand at {place}; {standing}", marks=cell.marks, tone=tone),
            Cell(""),
        ),
        ours=True,
    )


def _standing(network: Network) -> tuple[str, Tone]:
    """Whether the network may be ranked at all; a cost alone never qualifies."""
    qualifies = network.quality["qualifies"]
    if qualifies is not None:
        return ("qualifies", "good") if qualifies else ("does not qualify", "bad")
    if network.quality["value"] is not None:
        return "not certified to qualify", "doubt"
    if network.untrained:
        return "untrained, does not qualify", "doubt"
    return "accuracy not measured, does not qualify", "doubt"
