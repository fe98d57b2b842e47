"""Evaluate a package's answers again: on images drawn by its digest, or on all of them."""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from micronet.evaluation.data.open import open_dataset
from micronet.evaluation.journal import Journal
from micronet.evaluation.run import evaluate
from micronet.evaluation.team import Alone
from micronet.evaluation.worker import Plan
from micronet.packages.report import FAIL, PASS, SKIPPED, UNJUDGED, Check
from micronet.packages.statement import look_of
from micronet.packages.texts import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from micronet.checkpoints.loaded import LoadedTarget
    from micronet.evaluation.data.dataset import Dataset
    from micronet.evaluation.prediction import Prediction
    from micronet.evaluation.progress import Progress
    from micronet.packages.accuracy import Accuracy

_SHOWN = 3


def answers_again(
    accuracy: Accuracy,
    loaded: LoadedTarget,
    *,
    data: Path,
    labels: Path | None,
    images: int | None,
    seed: str,
    lanes: int,
    watch: Callable[[Progress], None],
) -> Check:
    """The row "answers": each answer is the stored one, image by image.

    ``images`` of them are drawn by ``seed``, the package's digest: the same everywhere, and changed
    by whatever is changed in the package; None is all. ``lanes`` is the number of threads.
    Raises MicronetError if ``data`` is no data set.
    """
    document = accuracy.document
    reason = _beyond_comparison(accuracy)
    if reason is not None or accuracy.predictions is None:
        return Check("answers", SKIPPED, reason or "the receipt has no predictions")
    stored = accuracy.predictions.predictions
    chosen = drawn(len(stored), images, seed)
    dataset = open_dataset(data.expanduser(), labels=labels, track=document["track"])
    wanted = [stored[index] for index in chosen]
    problem = _other_data(dataset, wanted, document)
    if problem is not None:
        return Check("answers", UNJUDGED, problem)
    plan = Plan(
        dataset=_part(dataset, [each.name for each in wanted]),
        look=look_of(document["preprocessing"]),
        decoder=document["preprocessing"]["decoder"],
        lanes=lanes,
    )
    with tempfile.TemporaryDirectory(prefix="micronet-") as folder:
        journal = Journal(Path(folder) / "journal")
        try:
            again = evaluate(loaded.model, plan, journal, Alone(), watch)
        finally:
            journal.close()
    return _compared(wanted, again, len(stored))


def drawn(of: int, images: int | None, seed: str) -> list[int]:
    """Which of ``of`` images are looked at, in order; all of them for None."""
    if images is None or images >= of:
        return list(range(of))
    return sorted(random.Random(seed).sample(range(of), images))  # noqa: S311 - to be drawn again


def _beyond_comparison(accuracy: Accuracy) -> str | None:
    """Why answers cannot be expected to come out equal here; None if they can."""
    if accuracy.predictions is None:
        return "a perplexity has no predictions: micronet evaluate checkpoint.pt measures it again"
    found = accuracy.document["arithmetic"]
    if found["dtype"] == "float32" and found["device"] == "cpu" and not found["compiled"]:
        return None
    compiled = ", compiled" if found["compiled"] else ""
    return f"measured in {found['dtype']} on {found['device']}{compiled}: rounding is another here"


def _other_data(
    dataset: Dataset, wanted: Sequence[Prediction], document: Mapping[str, Any]
) -> str | None:
    """Why these images are not those of the receipt; None if they are."""
    if len(dataset.classes) != document["data"]["classes"]:
        classes = document["data"]["classes"]
        return (
            f"{dataset.root} has {len(dataset.classes):,} classes, the receipt's data {classes:,}"
        )
    here = {example.name for example in dataset.examples}
    missing = [each.name for each in wanted if each.name not in here]
    if not missing:
        return None
    named = ", ".join(plain(name)[:80] for name in missing[:_SHOWN])
    return (
        f"{dataset.root} lacks {len(missing):,} of {len(wanted):,} images that were drawn: {named}"
    )


def _part(dataset: Dataset, wanted: Sequence[str]) -> Dataset:
    """The images called ``wanted`` alone, in that order."""
    places = {example.name: index for index, example in enumerate(dataset.examples)}
    kept = [places[name] for name in wanted]
    return replace(
        dataset,
        examples=tuple(dataset.examples[index] for index in kept),
        read=lambda index: dataset.read(kept[index]),
        split=None,
    )


def _compared(stored: Sequence[Prediction], again: Sequence[Prediction], of: int) -> Check:
    """The margin is left out: it is a rounded number beside the answer, not the answer."""
    different = [
        (one, other)
        for one, other in zip(stored, again, strict=True)
        if _answer(one) != _answer(other)
    ]
    share = f"{len(stored):,} of {of:,}" if len(stored) < of else f"all {of:,}"
    if not different:
        return Check("answers", PASS, f"{share} images, every answer equal")
    one, other = different[0]
    because = (
        f"{len(different):,} of {len(stored):,} answers evaluated again are others: "
        f"{plain(one.name)[:80]} is {_shown(one)} in the package, {_shown(other)} here"
    )
    return Check("answers", FAIL, because)


def _answer(found: Prediction) -> tuple[object, ...]:
    return (found.name, found.label, found.top, found.state, found.content, found.problem)


def _shown(found: Prediction) -> str:
    classes = " ".join(map(str, found.top)) or found.state
    return f"{classes} (label {found.label}, image {found.content[:8]})"
