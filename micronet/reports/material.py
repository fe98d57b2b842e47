"""What a report is made from: the networks that were scored or trained, what is known of each, the audit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.card import Card, cards
from micronet.errors import MicronetError
from micronet.evaluation.lookup import quality_for
from micronet.reports import RECEIPTS
from micronet.reports.counted import counted_targets, identity
from micronet.reports.score_receipt import BOOK, ScoreReceipt, read_receipts
from micronet.reports.training_receipt import read_trainings
from micronet.reports.training_runs import Experiment, experiments
from micronet.scoring.baselines import Baseline, baselines
from micronet.scoring.rulebook import rule_book
from micronet.scoring.tracks import Track, track

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from fractions import Fraction
    from pathlib import Path

    from micronet.reports.counted import Counts, Identity

# The only baseline that no card rebuilds and that everybody has.
_TORCHVISION: Final = {"mobilenet_v2_1.0": "torchvision:mobilenet_v2"}
_IMAGENET: Final = "imagenet"


@dataclass(frozen=True)
class Network:
    """One network scored under the challenge's rules.

    ``counts`` are its numbers by dialect and quantity. ``quality`` is the score document's, from
    the evaluation receipts if one fits. ``earlier_rules``: scored by another edition of the book.
    """

    receipt: ScoreReceipt
    track: Track
    card: Card | None
    counts: Counts
    quality: Mapping[str, Any]
    earlier_rules: bool

    @property
    def name(self) -> str:
        """What was scored, as its receipt says."""
        return self.receipt.name

    @property
    def untrained(self) -> bool:
        """Whether the weights were built and never trained, so that no accuracy belongs to them."""
        return bool(self.receipt.document["target"]["weights"] == "untrained")


@dataclass(frozen=True)
class Yardstick:
    """A published network, and its numbers in every dialect that somebody counted it in."""

    baseline: Baseline
    track: Track
    counts: Counts


@dataclass(frozen=True)
class Material:
    """Everything that the tables are made from, in the order in which they show it.

    ``receipts`` are all that were read, also those by other rules and of the baselines.
    ``experiments`` are the training runs.
    """

    networks: tuple[Network, ...]
    yardsticks: tuple[Yardstick, ...]
    receipts: tuple[ScoreReceipt, ...]
    audit: Mapping[str, Any] | None = None
    experiments: tuple[Experiment, ...] = ()

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The tracks on which something was scored, in the order of their names."""
        found = {network.track.name: network.track for network in self.networks}
        return tuple(found[name] for name in sorted(found))


def gather(root: Path, audit: Mapping[str, Any] | None = None) -> Material:
    """Read ``root``/reports/receipts. MicronetError if there is nothing to report.

    That is what was scored by the challenge's rules, and what was trained.

    Networks come by track, the best score first.
    """
    receipts = read_receipts(root)
    compared = {name for baseline in baselines() for name in _names(baseline)}
    counted = counted_targets(root, receipts, compared)
    networks = [
        _network(receipt, chosen, counted, root)
        for receipt in receipts
        if receipt.book == BOOK and receipt.name not in compared
        for chosen in [receipt.track]
        if chosen is not None
    ]
    trained = experiments(read_trainings(root))
    if not networks and not trained:
        raise MicronetError(
            f"{root / RECEIPTS}: no network was scored here by {BOOK}{_beside(receipts)}.",
            "Score one and keep the receipt: micronet score TARGET --save",
        )
    networks.sort(
        key=lambda each: (each.track.name, each.receipt.score(each.track).total, each.name)
    )
    return Material(tuple(networks), _yardsticks(counted), receipts, audit, trained)


def _network(
    receipt: ScoreReceipt,
    chosen: Track,
    counted: Mapping[Identity, Counts],
    root: Path,
) -> Network:
    target = receipt.document["target"]
    quality = receipt.document["quality"]
    if "input" in target:
        found, _ = quality_for(target, chosen.name, root, state_sha256=lambda: None)
        quality = found or quality
    return Network(
        receipt=receipt,
        track=chosen,
        card=next((card for card in cards() if card.name == receipt.name), None),
        counts=counted[identity(target)],
        quality=quality,
        earlier_rules=receipt.document["rules"]["sha256"] != rule_book(BOOK).sha256,
    )


def _yardsticks(counted: Mapping[Identity, Counts]) -> tuple[Yardstick, ...]:
    tracks = {card.name: card.track for card in cards()}
    found = []
    for baseline in baselines():
        counts: dict[tuple[str, str], Fraction] = {}
        for name in _names(baseline):
            counts |= counted.get((name, None), {})
        where = tracks.get(baseline.card or "", _IMAGENET)
        found.append(Yardstick(baseline, track(where), counts))
    return tuple(found)


def _beside(receipts: Iterable[ScoreReceipt]) -> str:
    """What was: baselines, which stand in the tables anyway, and networks on no track."""
    scored = [receipt for receipt in receipts if receipt.book == BOOK]
    told = {
        "which every table has": {each.name for each in scored if each.track is not None},
        "on no track": {each.name for each in scored if each.track is None},
    }
    said = [f"{', '.join(sorted(names))}, {why}" for why, names in told.items() if names]
    return f", only {'; '.join(said)}" if said else ""


def _names(baseline: Baseline) -> tuple[str, ...]:
    """What a receipt or the evidence about the rebuilt baseline is called."""
    names = (baseline.name, baseline.card, _TORCHVISION.get(baseline.name))
    return tuple(dict.fromkeys(name for name in names if name is not None))
