"""What somebody claims about a network: plain values, read from a claims file or from a card.

``claims_file`` reads them and ``shipped`` knows those that come with micronet. No torch here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from micronet.scoring.printed import Printed, printed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from micronet.checkpoints.card import Card

Exact = int | Fraction
Value = int | float | str | bool
UNITS: Final[Mapping[str, str]] = {
    "parameters": "values",
    "macs": "multiply-accumulates",
    "operations": "operations",
    "multiplications": "multiplications",
    "additions": "additions",
    "bits": "bits",
    "score": "score",
    "sparsity": "share of zeros",
    "top1": "percent",
    "top5": "percent",
    "perplexity": "perplexity",
}
"""Every quantity that may be claimed, and its unit where a claim names none."""
CHALLENGE: Final = "micronet2019"  # the rule book that every score is meant by


@dataclass(frozen=True)
class StatedClaim:
    """One published number: ``stated`` as it was printed ("515,231,310"), ``printed`` as read.

    ``dialect``: the rule book that the claim itself names, if it names one; a score always has one.
    """

    quantity: str
    stated: str
    printed: Printed
    unit: str
    dialect: str | None
    where: str


@dataclass(frozen=True)
class Declared:
    """How an entry says that it counted; None where it says nothing.

    ``sparsity`` is the share of zeros of every layer but those that are ``dense``, from 0 to 1; the
    widths are in bits.
    """

    freebie: bool | None = None
    sparsity: Fraction | None = None
    dense: tuple[str, ...] = ()
    weight_bits: int | None = None
    activation_bits: int | None = None
    addition_bits: int | None = None


@dataclass(frozen=True)
class LayerRow:
    """A row of an entry's own table; None where the table has no such column.

    ``bits`` is the storage of the whole layer, ``weight_bits`` and ``input_bits`` are widths.
    """

    name: str
    parameters: Exact | None = None
    macs: Exact | None = None
    multiplications: Exact | None = None
    additions: Exact | None = None
    operations: Exact | None = None
    bits: Exact | None = None
    sparsity: Fraction | None = None
    weight_bits: int | None = None
    input_bits: int | None = None


@dataclass(frozen=True)
class Part:
    """One of the numbers that, as the entry says, add up to its claim of the quantity ``of``."""

    of: str
    name: str
    stated: str
    printed: Printed


@dataclass(frozen=True)
class Training:
    """How the claimed accuracy came to be: the recipe on ``card``, as far as it is known.

    The network has so many ``edges``, learned from ``images`` and was tested on ``test_images``.
    ``cycle_rates``, where they are given, replace those of the recipe.
    """

    card: str
    edges: int
    images: int
    test_images: int
    cycle_rates: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Entry:
    """One network and what is claimed about it.

    What to recount is a ``card``; or an ``architecture`` of micronet's own with the settings in
    ``config``, to be built untrained; or a ``model``: "torchvision:NAME",
    "package.module:factory" or "/path/file.py:factory", of which the last two run somebody's
    code. A card and a model may have ``weights``, a file. Where none of them is named nothing can
    be recounted, and ``why`` may say why. ``training`` says which of our runs may be held against
    its accuracy.
    """

    name: str
    title: str
    by: str
    where: str
    claims: tuple[StatedClaim, ...]
    card: str | None = None
    architecture: str | None = None
    config: Mapping[str, Value] | None = None
    model: str | None = None
    weights: Path | None = None
    why: str | None = None
    input: tuple[int, ...] | None = None
    track: str | None = None
    declared: Declared = Declared()
    layers: tuple[LayerRow, ...] = ()
    parts: tuple[Part, ...] = ()
    training: Training | None = None


@dataclass(frozen=True)
class ClaimsFile:
    """A file of claims; ``path`` is ``Path("cards")`` for what stands on the cards."""

    title: str
    path: Path
    entries: tuple[Entry, ...]

    @property
    def name(self) -> str:
        """What an audit calls it: "dnw-tables.toml", or "cards"."""
        return self.path.name


def stated_claim(
    quantity: str, stated: str, *, where: str, unit: str = "", dialect: str | None = None
) -> StatedClaim:
    """A claim with what it leaves out filled in; MicronetError if ``stated`` is no number."""
    implied = CHALLENGE if quantity == "score" else None
    return StatedClaim(
        quantity, stated, printed(stated), unit or UNITS[quantity], dialect or implied, where
    )


def claims_of(card: Card) -> tuple[StatedClaim, ...]:
    """The published figures that stand on a card."""
    return tuple(
        stated_claim(each.quantity, each.stated, where=each.where, unit=each.unit)
        for each in card.claims
    )


def from_card(card: Card) -> Entry:
    """A checkpoint card's claims as an entry, named as the card is."""
    return Entry(
        name=card.name,
        title=card.title,
        by=card.paper.authors,
        where=f"{card.paper.title}, {card.paper.year}, {card.paper.url}",
        claims=claims_of(card),
        card=card.name,
        input=card.input,
        track=card.track,
    )
