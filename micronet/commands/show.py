"""``micronet show``: one card in full."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.text import Text

from micronet.checkpoints.card import card as card_called
from micronet.checkpoints.card import described
from micronet.checkpoints.whereabouts import command_for
from micronet.commands import console
from micronet.commands.presence import presence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import RenderableType

    from micronet.checkpoints.card import Card


def run(name: str, *, json: bool) -> int:
    """Write everything that the card called ``name`` says, and whether its weights are here."""
    card = card_called(name)
    if json:
        console.write_json({**asdict(card), "here": presence(card.name)})
    else:
        console.write(card_view(card))
    return 0


def card_view(card: Card) -> Iterator[RenderableType]:
    """Facts, configuration, recipe, claims, sources and notes, in this order."""
    yield Text.assemble((card.name, "bold"), f"  {card.title}")
    yield ""
    yield _facts("", _overview(card))
    for title, facts in (("configuration", card.config), ("recipe", card.recipe)):
        if facts:
            yield ""
            yield _facts(title, facts)
    yield ""
    yield _claims(card)
    yield ""
    for source in card.sources:
        digest = source.sha256 and f"sha256 {source.sha256}"
        said = (source.package, source.file, source.url, digest)
        yield Text(f"{source.kind}: {', '.join(word for word in said if word)}")
    for note in card.notes:
        yield Text(f"note: {note}")


def _overview(card: Card) -> Mapping[str, Any]:
    paper = card.paper
    overview: dict[str, Any] = {
        "architecture": card.architecture,
        "track": card.track,
        "rules": card.rules,
        "input": ", ".join(str(extent) for extent in card.input),
        "weights": f"{card.weights}, {_here(card)}",
        "licence": card.licence,
        "paper": f"{paper.authors}, {paper.title}, {paper.year}, {paper.url}",
    }
    if card.prune_rate is not None:
        overview["prune rate"] = card.prune_rate
    if card.preprocessing is not None:
        overview["preprocessing"] = described(card.preprocessing)
    return overview


def _here(card: Card) -> str:
    return presence(card.name) or f"not here: {command_for(card)}"


def _facts(title: str, facts: Mapping[str, Any]) -> RenderableType:
    table = console.plain_table(title)
    table.show_header, table.box = False, None
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), str(value))
    return table


def _claims(card: Card) -> RenderableType:
    table = console.plain_table("claims")
    for title in ("quantity", "stated", "unit", "where"):
        table.add_column(title, no_wrap=title != "where", overflow="fold")
    for claim in card.claims:
        table.add_row(claim.quantity, claim.stated, claim.unit, claim.where)
    return table
