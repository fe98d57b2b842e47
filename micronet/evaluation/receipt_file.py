"""Evaluation receipts on disk: written in one step, believed only after a recount. No torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.atomic import write_bytes
from micronet.errors import MicronetError
from micronet.evaluation.bounded import read_json
from micronet.evaluation.predictions_file import predictions_csv, read_file
from micronet.evaluation.real import score as real_score
from micronet.evaluation.receipt import content_sha256, stem, totals
from micronet.evaluation.schema import evaluation_schema, problems
from micronet.evaluation.verdict import TOP1, perplexity_quality, top1_quality
from micronet.reports import PREDICTIONS, RECEIPTS, write_receipt
from micronet.scoring.tracks import track as track_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from micronet.evaluation.prediction import Prediction
    from micronet.evaluation.predictions_file import PredictionsFile

SUFFIX: Final = ".evaluation.json"
MAX_FILE_BYTES: Final = 2**26
_MOST_SHOWN: Final = 3
_AGAIN: Final = "Delete it, and evaluate again."


@dataclass(frozen=True)
class Receipt:
    """A receipt that was read: its place, and its document, which agrees with itself."""

    path: Path
    document: Mapping[str, Any]


def save(
    document: Mapping[str, Any],
    predictions: Sequence[Prediction],
    root: Path,
    *,
    real: Sequence[tuple[int, ...]] | None = None,
) -> Path:
    """Write the predictions, then the receipt, to ``root``/reports; the receipt's path.

    ``predictions`` and ``real`` are those that the document was made of, else ValueError; a
    language model has none.
    """
    said = document["predictions"]
    if said is not None:
        data = predictions_csv(predictions, real=real)
        if hashlib.sha256(data).hexdigest() != said["sha256"]:
            raise ValueError("the document was made of other predictions")
        write_bytes(root / PREDICTIONS / said["file"], data)
    path = root / RECEIPTS / f"{stem(document)}{SUFFIX}"
    write_receipt(path, document)
    return path


def read_receipt(path: Path) -> Receipt:
    """The receipt at ``path``; MicronetError if it is none or contradicts itself."""
    document = read_json(path, MAX_FILE_BYTES)
    found = list(islice(problems(document, evaluation_schema()), _MOST_SHOWN))
    if not found:
        found = list(_contradictions(document))
    if found:
        raise MicronetError(f"{path}: is no evaluation receipt: {'; '.join(found)}.", _AGAIN)
    return Receipt(path, document)


def predictions_of(receipt: Receipt) -> PredictionsFile | None:
    """The predictions of a receipt, recounted; None if the file is not here, or there never was one.

    They are looked for in the folder predictions beside the receipt's, and in its own.
    MicronetError if they are not those that the receipt was made of.
    """
    said = receipt.document["predictions"]
    if said is None:
        return None
    folder = receipt.path.parent
    places = (folder.parent / PREDICTIONS.name / said["file"], folder / said["file"])
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return None
    found = read_file(path)
    if found.sha256 != said["sha256"]:
        raise MicronetError(
            f"{receipt.path}: its predictions, {path}, have changed:"
            f" sha256 {found.sha256}, expected {said['sha256']}.",
            _AGAIN,
        )
    wrong = list(_miscounts(receipt.document, found))
    if wrong:
        raise MicronetError(f"{receipt.path}: {'; '.join(wrong)}.", _AGAIN)
    return found


def _contradictions(document: Mapping[str, Any]) -> Iterator[str]:
    """What cannot be true together, of a document that has the right form."""
    data, quality = document["data"], document["quality"]
    if data["complete"] != (data["split"] is not None):
        yield f"complete is {data['complete']}, but split is {data['split']!r}"
    top1 = quality["metric"] == TOP1
    kept = [document[key] is not None for key in ("top5", "flags", "preprocessing", "predictions")]
    if top1 != all(kept) or (quality["correct"] is not None) != top1:
        yield f"{quality['metric']} does not go with the other parts"
        return
    if top1 and not 0 <= quality["correct"] <= quality["of"] == data["images"]:
        yield f"{quality['correct']} correct of {quality['of']}, of {data['images']} images"
        return
    try:
        due = _due_quality(document)
    except MicronetError as error:
        yield error.message.removesuffix(".")
        return
    for key, value in due.items():
        if key != "verdict" and quality[key] != value:
            yield f"{key} is {quality[key]}, but its numbers make it {value}"


def _due_quality(document: Mapping[str, Any]) -> dict[str, Any]:
    """The quality that the receipt's integers make, decided anew."""
    data, quality = document["data"], document["quality"]
    track = None if document["track"] is None else track_named(document["track"])
    known = {"split": data["split"], "recognised": data["recognised"]}
    if quality["metric"] == TOP1:
        return top1_quality(track, correct=quality["correct"], of=quality["of"], **known)
    return perplexity_quality(track, perplexity=quality["value"], of=quality["of"], **known)


def _miscounts(document: Mapping[str, Any], found: PredictionsFile) -> Iterator[str]:
    correct, correct5 = totals(found.predictions)
    of = len(found.predictions)
    recounts = {"quality": (correct, of), "top5": (correct5, of)}
    if document["real"] is not None or found.real is not None:
        recounts["real"] = real_score(found.predictions, found.real or ((),) * of)
    for key, (right, judged) in recounts.items():
        said = document[key] or {"correct": None, "of": None}
        if (said["correct"], said["of"]) != (right, judged):
            name = "top-1" if key == "quality" else key
            yield (
                f"the receipt says {name} {said['correct']} of {said['of']},"
                f" its predictions give {right} of {judged}"
            )
    if document["data"]["content_sha256"] != content_sha256(found.predictions):
        yield "its content_sha256 is not that of its predictions' images"
