"""What the authors published for a network that was trained here, and how they trained it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from micronet.audit.shipped import shipped_claims
from micronet.checkpoints.card import cards
from micronet.training.recipe import recipe_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from fractions import Fraction

    from micronet.audit.entry import Training
    from micronet.checkpoints.card import Card

WORDS: Final = ("source", "seed", "initialisation")
"""Of a recipe, what does not change what is computed; the seed that counts is the run's."""
_METHOD: Final = ("method", "knobs", "cycle_rates", "budgets")
_OF_SCHEDULE: Final = ("milestones", "gamma")


@dataclass(frozen=True)
class Published:
    """A published accuracy in percent, and the conditions under which it came to be.

    ``otherwise`` says in words what of our recipe differs from theirs, the epochs left out.
    """

    title: str
    stated: str
    number: Fraction
    epochs: int
    otherwise: str
    where: str


def published_for(document: Mapping[str, Any]) -> Published | None:
    """What was published for the network and the method of a training receipt, if anything was.

    The shipped claims say by their ``training`` which runs may be held against them: those of a
    card with the same network and data set, with as many edges and test images, found by the same
    method with the same knobs.
    """
    known = {card.name: card for card in cards()}
    for entry in (each for file in shipped_claims() for each in file.entries):
        if entry.training is None:
            continue
        theirs = known[entry.training.card]
        recipe = _their_recipe(theirs, entry.training)
        if not _comparable(document, known.get(document["card"]), theirs, entry.training):
            continue
        if any(document["recipe"][key] != recipe[key] for key in _METHOD):
            continue
        for claim in entry.claims:
            if claim.quantity == "top1":
                return Published(
                    entry.title,
                    claim.stated,
                    claim.printed.number,
                    recipe["epochs"],
                    "; ".join(_differences(document, recipe, entry.training)),
                    claim.where,
                )
    return None


def _their_recipe(card: Card, training: Training) -> Mapping[str, Any]:
    rates = training.cycle_rates
    return recipe_of(card, None if rates is None else {"cycle_rates": rates}).document()


def _comparable(
    document: Mapping[str, Any], ours: Card | None, theirs: Card, training: Training
) -> bool:
    """Whether it is the same network, tested on the same images, as far as a receipt can tell."""
    return (
        ours is not None
        and (ours.config, ours.track) == (theirs.config, theirs.track)
        and document["architecture"] == ours.architecture == theirs.architecture
        and document["edges"] == training.edges
        and document["test_images"] == training.test_images
    )


def _differences(
    document: Mapping[str, Any], recipe: Mapping[str, Any], training: Training
) -> Iterator[str]:
    ours, images = document["recipe"], document["train_images"]
    if images != training.images:
        yield f"{images:,} images instead of {training.images:,}"
    other_schedule = ours["schedule"] != recipe["schedule"]
    for key, value in recipe.items():
        known = key in (*_METHOD, *WORDS, "epochs") or key not in ours
        if known or (other_schedule and key in _OF_SCHEDULE) or ours[key] == value:
            continue
        yield f"{key.replace('_', ' ')} {_plain(ours[key])} instead of {_plain(value)}"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"“{value}”" if isinstance(value, str) else str(value)
