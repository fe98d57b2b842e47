"""Runs of one recipe that differ in nothing but the seed, and what they come to together, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from micronet.errors import MicronetError
from micronet.reports.training_published import WORDS, Published, published_for

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from micronet.reports.training_receipt import TrainingReceipt


@dataclass(frozen=True)
class Experiment:
    """Runs by their seeds, and what was published for the same network and method, if anything."""

    runs: tuple[TrainingReceipt, ...]
    published: Published | None

    @property
    def facts(self) -> Mapping[str, Any]:
        """The document of a run: its card, method, network, recipe and data are those of all."""
        return self.runs[0].document

    @property
    def seeds(self) -> tuple[int, ...]:
        """From the least on."""
        return tuple(run.seed for run in self.runs)

    @property
    def accuracies(self) -> tuple[Fraction, ...]:
        """Percent of the test images, a number a run; empty where nothing was tested."""
        return tuple(run.accuracy for run in self.runs if run.accuracy is not None)

    @property
    def best(self) -> TrainingReceipt | None:
        """The run with the most test images right, of several the one with the least seed."""
        tested = [run for run in self.runs if run.accuracy is not None]
        return max(tested, key=lambda run: run.accuracy or 0, default=None)


def mean(values: Iterable[Fraction]) -> Fraction | None:
    """Exactly; None of nothing."""
    known = tuple(values)
    return sum(known, Fraction(0)) / len(known) if known else None


def variance(values: Iterable[Fraction]) -> Fraction | None:
    """The sample variance, over n - 1; None of fewer than two."""
    known = tuple(values)
    centre = mean(known)
    if centre is None or len(known) < 2:
        return None
    return sum(((value - centre) ** 2 for value in known), Fraction(0)) / (len(known) - 1)


def experiments(receipts: Iterable[TrainingReceipt]) -> tuple[Experiment, ...]:
    """The runs of each card and recipe together: by architecture, the most accurate first.

    Runs on other images are another experiment. MicronetError if two are one run, or if two
    recipes of one digest differ.
    """
    found: dict[Hashable, list[TrainingReceipt]] = {}
    for receipt in receipts:
        found.setdefault(_sameness(receipt), []).append(receipt)
    made = []
    for runs in found.values():
        runs.sort(key=lambda run: (run.seed, run.path.name))
        for one, other in pairwise(runs):
            _check_pair(one, other)
        made.append(Experiment(tuple(runs), published_for(runs[0].document)))
    return tuple(sorted(made, key=_order))


def _sameness(receipt: TrainingReceipt) -> Hashable:
    document = receipt.document
    data = document["data"]
    kept = ("card", "recipe_digest", "architecture", "edges")
    return (*(document[key] for key in kept), data["train"], data.get("test"))


def _order(experiment: Experiment) -> tuple[Any, ...]:
    accuracy = mean(experiment.accuracies)
    known = -1 if accuracy is None else accuracy
    facts = experiment.facts
    return (
        *(facts["architecture"], -known, facts["epochs"], facts["card"], facts["recipe_digest"]),
        experiment.runs[0].path.name,
    )


def _check_pair(one: TrainingReceipt, other: TrainingReceipt) -> None:
    if one.seed == other.seed:
        raise MicronetError(
            f"{other.path}: the run of {other.card} with seed {other.seed} is in"
            f" {one.path.name} already.",
            "A seed counts once: delete one of the receipts.",
        )
    if _computed(one.document["recipe"]) != _computed(other.document["recipe"]):
        raise MicronetError(
            f"{other.path}: has another recipe than {one.path.name}, but the same"
            f" digest, {other.digest}.",
            "One of the receipts was changed by hand: train again.",
        )


def _computed(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in recipe.items() if key not in WORDS}
