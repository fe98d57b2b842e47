"""Claims as data: a TOML file of entries, read strictly; ``scoring/claims`` has examples.

A file comes from anybody: it is bounded, nothing in it is executed here, and the paths it names
stay in its own folder.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal, InvalidOperation
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from micronet.audit import cells
from micronet.audit.cells import optional
from micronet.audit.entry import (
    UNITS,
    ClaimsFile,
    Declared,
    Entry,
    LayerRow,
    Part,
    StatedClaim,
    Training,
    claims_of,
    stated_claim,
)
from micronet.checkpoints.card import cards
from micronet.errors import MicronetError
from micronet.evaluation.bounded import read_bounded
from micronet.models import ARCHITECTURES
from micronet.scoring.baselines import baselines
from micronet.scoring.printed import printed
from micronet.scoring.rulebook import rule_books
from micronet.scoring.tables import Table
from micronet.scoring.tracks import tracks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from micronet.audit.entry import Value
    from micronet.checkpoints.card import Card
    from micronet.scoring.baselines import Baseline

MOST_BYTES: Final = 1_000_000
MOST_SIGNS: Final = 2_000  # of a line: a key of many dots takes time by their square
MOST_PROBLEMS: Final = 20
MOST_PROBLEM_SIGNS: Final = 400
_COUNTS: Final = ("parameters", "macs", "multiplications", "additions", "operations", "bits")


def load(path: Path) -> ClaimsFile:
    """The claims in ``path``; one MicronetError names the file and its problems.

    Raises it also for a file of more than 1 MB, and for one that claims nothing.
    """
    table = Table(_toml(path), path)
    title = cells.line(table, "title")
    entries = tuple(_entry(row) for row in table.tables("entry"))
    if table.sound() and not entries:
        table.problem("entry", "should be one table or more: nothing is claimed")
    cells.unlike(table, "entry", [each.name for each in entries if each.name])
    problems = [_legible(problem) for problem in islice(table.problems(), MOST_PROBLEMS + 1)]
    if len(problems) > MOST_PROBLEMS:
        problems[MOST_PROBLEMS] = "and more"
    if problems:
        raise MicronetError(f"{path}: {'; '.join(problems)}.", "Correct the claims file.")
    return ClaimsFile(title, path, entries)


def _toml(path: Path) -> dict[str, object]:
    data = read_bounded(path, MOST_BYTES)
    try:
        text = data.decode("utf-8")
        longest = max(map(len, text.splitlines()), default=0)
        if longest > MOST_SIGNS:
            raise MicronetError(
                f"{path}: has a line of {longest:,} signs, which is refused.",
                f"Break it: {MOST_SIGNS:,} are allowed.",
            )
        return tomllib.loads(text, parse_float=Decimal)
    except InvalidOperation as error:
        raise MicronetError(f"{path}: has a number with an endless exponent.") from error
    except (ValueError, RecursionError) as error:  # ValueError: syntax, UTF-8, endless digits
        raise MicronetError(f"{path}: is not TOML ({_legible(str(error))}).") from error


def _legible(text: str) -> str:
    """A problem for the screen, cut in the middle: other people's keys and values may be anything."""
    shown = "".join(sign if sign.isprintable() else "?" for sign in text)
    half = MOST_PROBLEM_SIGNS // 2
    return shown if len(shown) <= MOST_PROBLEM_SIGNS else f"{shown[:half]}…{shown[-half:]}"


def _entry(row: Table) -> Entry:
    name = cells.slug(row, "name")
    known = {each.name: each for each in cards()}
    card = known.get(optional(row, "card", partial(Table.word, choices=known)) or "")
    built = optional(row, "architecture", partial(Table.word, choices=ARCHITECTURES))
    where = cells.line(row, "where")
    made = Entry(
        name=name,
        title=cells.line(row, "title"),
        by=cells.line(row, "by"),
        where=where,
        claims=(*_elsewhere(row, name, card), *_claims(row, where)),
        card=card.name if card else None,
        architecture=built,
        config=_config(row, built),
        model=optional(row, "model", cells.model),
        weights=optional(row, "weights", cells.file),
        why=optional(row, "why", cells.line),
        input=optional(row, "input", cells.shape) or (card.input if card else None),
        track=optional(row, "track", partial(Table.word, choices=[each.name for each in tracks()]))
        or (card.track if card else None),
        declared=_declared(row.table("declared")) if row.has("declared") else Declared(),
        layers=tuple(_layer(each) for each in cells.rows(row, "layer")),
        parts=tuple(_part(each) for each in cells.rows(row, "part")),
        training=_training(row.table("training"), known) if row.has("training") else None,
    )
    _check_target(made, row)
    _check_claims(made, row)
    return made


def _check_target(made: Entry, row: Table) -> None:
    """Note what contradicts itself about what to recount."""
    named = [key for key in ("card", "architecture", "model") if getattr(made, key) is not None]
    if len(named) > 1:
        row.problem(named[1], f"is one target too many: there is a {named[0]} already")
    if named and made.why is not None:
        row.problem("why", f"says that nothing can be recounted, but there is {named[0]}")
    if made.weights is not None and not {"card", "model"} & set(named):
        row.problem("weights", "belongs to a card or a model")


def _check_claims(made: Entry, row: Table) -> None:
    """Note what is missing, there twice, or part of nothing."""
    if not made.claims and row.sound():
        row.problem("claim", "is missing: an entry that claims nothing cannot be audited")
    claims = (f"{each.quantity} {each.stated}, {each.where}" for each in made.claims)
    cells.unlike(row, "claim", claims)
    cells.unlike(row, "layer", [each.name for each in made.layers])
    cells.unlike(row, "part", [f"{each.name} of {each.of}" for each in made.parts])
    claimed = {each.quantity for each in made.claims}
    for of in {part.of for part in made.parts} - claimed if row.sound() else ():
        row.problem("part", f"adds up to {of}, which the entry does not claim")


def _elsewhere(row: Table, name: str, card: Card | None) -> tuple[StatedClaim, ...]:
    """The claims on the entry's card, or of the baseline called as the entry, if it asks for them."""
    source = optional(row, "claims_from", partial(Table.word, choices=("card", "baseline")))
    if source == "card" and card is not None:
        return claims_of(card)
    if source == "baseline":
        for each in baselines():
            if each.name == name:
                return _published(each)
        row.problem("claims_from", f"finds no baseline '{name}'")
    elif source == "card":
        row.problem("claims_from", "finds no card of this entry")
    return ()


def _published(baseline: Baseline) -> tuple[StatedClaim, ...]:
    return tuple(
        stated_claim(
            figure.quantity,
            figure.stated,
            where=f"{figure.source.table}; {figure.source.reference}",
            unit=figure.unit,
        )
        for figure in baseline.published
    )


def _claims(row: Table, usual: str) -> tuple[StatedClaim, ...]:
    return tuple(
        stated_claim(
            each.word("quantity", UNITS),
            cells.stated(each),
            where=optional(each, "where", cells.line) or usual,
            unit=optional(each, "unit", cells.line) or "",
            dialect=optional(each, "dialect", partial(Table.word, choices=rule_books())),
        )
        for each in cells.rows(row, "claim")
    )


def _config(row: Table, architecture: str | None) -> Mapping[str, Value] | None:
    """The architecture's settings that are not as usual, judged by the architecture itself."""
    if architecture is None or architecture not in ARCHITECTURES:
        return None
    if not row.has("config"):
        return {}
    found, inner = ARCHITECTURES[architecture], row.table("config")
    given = {
        key: _setting(inner, key, setting.default)
        for key, setting in found.settings.items()
        if inner.has(key)
    }
    try:
        found.complete(architecture, given if inner.sound() else {})
    except MicronetError as error:
        row.problem("config", f"is refused: {error.message} {error.next_step or ''}".strip())
    return given


def _setting(row: Table, key: str, usual: Value) -> Value:
    if isinstance(usual, bool):
        return row.boolean(key)
    if isinstance(usual, int):
        return row.integer(key)
    return float(row.fraction(key)) if isinstance(usual, float) else cells.line(row, key)


def _declared(row: Table) -> Declared:
    return Declared(
        freebie=row.boolean("freebie") if row.has("freebie") else None,
        sparsity=optional(row, "sparsity", cells.share),
        dense=row.sequence("dense", of=cells.line) if row.has("dense") else (),
        weight_bits=optional(row, "weight_bits", cells.width),
        activation_bits=optional(row, "activation_bits", cells.width),
        addition_bits=optional(row, "addition_bits", cells.width),
    )


def _training(row: Table, known: Mapping[str, Card]) -> Training:
    name = row.word("card", choices=known)
    rates = row.sequence("cycle_rates", of=Table.fraction) if row.has("cycle_rates") else None
    if row.sound() and not known[name].recipe:
        row.problem("card", f"has no recipe: {name}")
    return Training(
        name,
        edges=row.positive("edges"),
        images=row.positive("images"),
        test_images=row.positive("test_images"),
        cycle_rates=None if rates is None else tuple(map(float, rates)),
    )


def _layer(row: Table) -> LayerRow:
    return LayerRow(
        name=cells.line(row, "name"),
        **{key: optional(row, key, cells.exact) for key in _COUNTS},
        sparsity=optional(row, "sparsity", cells.share),
        weight_bits=optional(row, "weight_bits", cells.width),
        input_bits=optional(row, "input_bits", cells.width),
    )


def _part(row: Table) -> Part:
    of, name, stated = row.word("of", UNITS), cells.line(row, "name"), cells.stated(row)
    return Part(of, name, stated, printed(stated))
