"""From a loaded target to the evidence about it; the only way from torch to the audit."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from micronet.audit.calibrate import calibrated_row
from micronet.audit.counts import counts
from micronet.audit.deviations import deviations
from micronet.audit.evidence import MEAN, Count, Evidence, Term
from micronet.audit.layers import layer_rows
from micronet.audit.watched import as_rows
from micronet.checkpoints.target import SPARSE
from micronet.evaluation.state_digest import target_facts
from micronet.scoring import dnw_release
from micronet.scoring.api import (
    DEFAULT_RULES,
    DEFAULT_TRACK,
    input_of,
    learned_numbers,
    notes_of,
    waterfall_of,
)
from micronet.scoring.bits import FULL
from micronet.scoring.network import Network
from micronet.scoring.rulebook import rule_book, rule_books
from micronet.scoring.tally import tally
from micronet.scoring.trace import trace
from micronet.scoring.tracks import track as track_named
from micronet.scoring.tracks import track_or_none

RELEASE: Final = "dnw-release"
ONE: Final = Fraction(1)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from micronet.audit.calibrate import Calibrated
    from micronet.audit.watched import Watched
    from micronet.checkpoints.loaded import LoadedTarget


def gather(
    loaded: LoadedTarget,
    *,
    track: str | None = None,
    watched: Sequence[Watched] | None = None,
    means: Sequence[Calibrated] = (),
) -> Evidence:
    """Count ``loaded`` in every dialect, with what could have been counted wrongly.

    ``watched`` are the values that entered its multiplications, ``means`` its mean costs over real
    examples where control flow depends on the data, by rule book.
    Raises MicronetError for what cannot be judged (an operator without a price, say).
    """
    card = loaded.card
    chosen = track_or_none(track or (card.track if card else DEFAULT_TRACK))
    network = Network(trace(loaded.model, [input_of(loaded)]))
    learned = learned_numbers(loaded.model)
    book = rule_book(DEFAULT_RULES)
    bill = tally(network, book)
    return Evidence(
        target=_target(loaded),
        track=None if chosen is None else chosen.name,
        rules={name: book.sha256 for name, book in rule_books().items()},
        counts=(*_release(loaded), *_means(means), *counts(network, learned)),
        deviations=tuple(deviations(network, loaded.model, learned)),
        layers=tuple(layer_rows(network)),
        waterfall=tuple(waterfall_of(loaded, network, bill, book, chosen) or ()) or None,
        activations=None if watched is None else tuple(as_rows(watched)),
        calibrated=tuple(calibrated_row(each) for each in means) or None,
        remarks=_remarks(loaded),
        notes=tuple(notes_of(loaded, network, bill)),
    )


def _target(loaded: LoadedTarget) -> dict[str, Any]:
    return {
        **target_facts(loaded),
        "sparse": loaded.architecture in SPARSE,
        "input": list(loaded.inputs.shape),
        "card": loaded.card.name if loaded.card else None,
    }


def _release(loaded: LoadedTarget) -> Iterator[Count]:
    """The numbers as DNW's own code counts them, for the two networks that it counts."""
    if loaded.architecture not in (dnw_release.WIRING, dnw_release.PRUNED):
        return
    count = dnw_release.count_release(loaded.model, loaded.architecture, loaded.config)
    pool = sum(layer.macs for layer in count.layers if "pool" in layer.name)
    formula = (
        Term("multiply-accumulates of convolutions, graphs and classifier", ONE, count.macs - pool),
        Term("additions of the global pool, counted as multiply-accumulates", ONE, pool),
    )
    yield Count(RELEASE, "macs", Fraction(count.macs), formula)
    yield Count(RELEASE, "parameters", Fraction(count.parameters))
    yield Count(f"2 × {RELEASE}", "operations", Fraction(2 * count.macs))
    if loaded.architecture == dnw_release.PRUNED:
        yield Count(RELEASE, "score", dnw_release.entry_score(count))
        full = track_named("imagenet").score(count.parameters, 2 * count.macs).total
        yield Count(f"{RELEASE}, at 32 bits", "score", full)


def _means(means: Sequence[Calibrated]) -> Iterator[Count]:
    """Mean operations an example, as the rules ask for; storage is that of all paths together."""
    for found in means:
        challenge = rule_book(found.rules).storage == "challenge"
        dialect = f"{found.rules}{MEAN}"
        yield Count(dialect, "operations" if challenge else "macs", found.mean, _paths(found))
        if challenge:
            yield Count(dialect, "multiplications", found.multiplications)
            yield Count(dialect, "additions", found.additions)
            yield Count(dialect, "parameters", Fraction(found.storage_bits, FULL))
        else:
            yield Count(f"2 × {dialect}", "operations", 2 * found.mean)


def _paths(found: Calibrated) -> tuple[Term, ...]:
    """The mean as a sum over the paths: the share of the examples times what the path costs."""
    return tuple(
        Term(
            f"operations of path {i} ({path.examples:,} of {found.examples:,} examples)",
            Fraction(path.examples, found.examples) * path.cost.total / int(path.cost.total or 1),
            int(path.cost.total),
        )
        for i, path in enumerate(found.paths, start=1)
    )


def _remarks(loaded: LoadedTarget) -> dict[str, str] | None:
    """What the card's claims about a wiring imply, by quantity, where its weights are not here."""
    if loaded.architecture != dnw_release.WIRING or loaded.card is None:
        return None
    stated = {claim.quantity: claim.stated for claim in loaded.card.claims}
    if not {"macs", "parameters"} <= set(stated):
        return None
    return dnw_release.what_would_have_to_be_dead(
        loaded.model, loaded.config, stated["macs"], stated["parameters"]
    ).sentences()
