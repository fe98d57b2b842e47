"""From predictions to the ``micronet.evaluation/1`` document. No torch here.

There is nothing in it of time, speed, batch size or the number of processes, so that the same
facts are the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections import defaultdict
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import micronet
from micronet.evaluation.prediction import NONFINITE, TIED, UNREADABLE
from micronet.evaluation.predictions_file import predictions_csv
from micronet.evaluation.real import score as real_score
from micronet.evaluation.verdict import SPLITS, perplexity_quality, top1_quality
from micronet.reports import file_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from micronet.evaluation.data.dataset import Dataset
    from micronet.evaluation.language.result import LanguageResult
    from micronet.evaluation.prediction import Prediction
    from micronet.scoring.tracks import Track

SCHEMA: Final = "micronet.evaluation/1"
MOST_LISTED: Final = 100
OPTIONS: Final = " + options "  # in a preprocessing's source: what follows was asked for

Facts = dict[str, Any]


def evaluation_document(
    *,
    target: Mapping[str, Any],
    track: Track | None,
    dataset: Dataset,
    preprocessing: Mapping[str, Any],
    arithmetic: Mapping[str, Any],
    predictions: Sequence[Prediction],
    real: Sequence[tuple[int, ...]] | None = None,
    notes: Sequence[str] = (),
) -> Facts:
    """The document of an image classifier: ``predictions`` of all of ``dataset``, in its order.

    ``target`` is `state_digest.target_facts`; ``preprocessing`` the fields of the card's
    Preprocessing with "decoder" and "source"; ``arithmetic`` "dtype", "device" ("cpu" or "cuda")
    and "compiled"; ``real`` the ReaL labels of each image. ValueError if images are missing.
    """
    if [each.name for each in predictions] != [each.name for each in dataset.examples]:
        raise ValueError(f"{len(predictions)} predictions, not those of {dataset.name}'s images")
    correct, correct5 = totals(predictions)
    of = len(predictions)
    file = hashlib.sha256(predictions_csv(predictions, real=real)).hexdigest()
    document = _document(target, track, arithmetic, [*dataset.notes, *notes])
    document["data"] = {
        "name": dataset.name,
        "kind": dataset.kind,
        "classes": len(dataset.classes),
        "images": of,
        "fingerprint": dataset.fingerprint,
        "content_sha256": content_sha256(predictions),
        "split": dataset.split,
        "recognised": dataset.recognised,
        "complete": dataset.split is not None,
    }
    document["preprocessing"] = json.loads(json.dumps(dict(preprocessing)))  # tuples to lists
    document["quality"] = top1_quality(
        track, split=dataset.split, recognised=dataset.recognised, correct=correct, of=of
    )
    document["top5"] = _share(correct5, of)
    document["real"] = None if real is None else _share(*real_score(predictions, real))
    document["flags"] = _flags(predictions)
    document["predictions"] = {"file": f"{stem(document)}.csv", "sha256": file}
    return document


def stem(document: Mapping[str, Any]) -> str:
    """What a receipt and its predictions are called: target, data, and what was asked for besides.

    So a trial with other preprocessing or arithmetic leaves the receipt of the card's alone.
    """
    look, arithmetic = document["preprocessing"] or {}, document["arithmetic"]
    parts = [document["target"]["name"], document["data"]["name"]]
    parts += [look["source"].partition(OPTIONS)[2]] if OPTIONS in look.get("source", "") else []
    parts += [look["decoder"]] if look.get("decoder", "pil") != "pil" else []
    parts += [arithmetic["dtype"]] if arithmetic["dtype"] != "float32" else []
    parts += ["compiled"] if arithmetic["compiled"] else []
    return file_name(".".join(parts))


def perplexity_document(
    *,
    target: Mapping[str, Any],
    track: Track | None,
    name: str,
    result: LanguageResult,
    arithmetic: Mapping[str, Any],
    notes: Sequence[str] = (),
) -> Facts:
    """The document of a language model: its ``result`` on the text called ``name``."""
    split = SPLITS["wikitext103"] if result.complete else None
    document = _document(target, track, arithmetic, [*result.notes, *notes])
    document["data"] = {
        "name": name,
        "kind": "text",
        "classes": result.vocabulary,
        "images": None,
        "tokens": result.tokens,
        "unknown": result.unknown,
        "fingerprint": result.corpus_digest,
        "content_sha256": result.corpus_digest,
        "vocabulary_sha256": result.vocabulary_digest,
        "order": result.order,
        "protocol": result.protocol.sentence(),
        "layout": result.layout,
        "split": split,
        "recognised": result.recognised,
        "complete": result.complete,
    }
    document["quality"] = perplexity_quality(
        track,
        split=split,
        recognised=result.recognised,
        perplexity=result.perplexity,
        of=result.tokens,
    )
    return document


def _document(
    target: Mapping[str, Any],
    track: Track | None,
    arithmetic: Mapping[str, Any],
    notes: Sequence[str],
) -> Facts:
    return {
        "schema": SCHEMA,
        "target": dict(target),
        "track": None if track is None else track.name,
        "preprocessing": None,
        "arithmetic": dict(arithmetic),
        "top5": None,
        "real": None,
        "flags": None,
        "predictions": None,
        "environment": environment(),
        "notes": list(notes),
    }


def totals(predictions: Iterable[Prediction]) -> tuple[int, int]:
    """Right answers: of the best class, and of the best five."""
    right = [(each.correct, each.correct5) for each in predictions]
    return sum(first for first, _ in right), sum(five for _, five in right)


def content_sha256(predictions: Iterable[Prediction]) -> str:
    """The sha256 over name, label and content of every image, a line of JSON each, sorted."""
    digest = hashlib.sha256()
    for row in sorted((each.name, each.label, each.content) for each in predictions):
        digest.update(f"{json.dumps(row)}\n".encode())
    return digest.hexdigest()


def environment() -> dict[str, str | None]:
    """The versions of what computes; None for what is not installed."""
    packages = {"torch": "torch", "torchvision": "torchvision", "pillow": "pillow"}
    versions = {key: _version(package) for key, package in packages.items()}
    return {"micronet": micronet.__version__, "python": platform.python_version(), **versions}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _share(correct: int, of: int) -> Facts:
    return {"correct": correct, "of": of, "value": correct / of if of else None}


def _flags(predictions: Sequence[Prediction]) -> Facts:
    """What a reader should look at; every list is cut to MOST_LISTED, its total is not."""
    unreadable = [
        {"name": each.name, "problem": each.problem}
        for each in predictions
        if each.state == UNREADABLE
    ]
    same: dict[str, list[str]] = defaultdict(list)
    for each in predictions:
        if each.content:
            same[each.content].append(each.name)
    groups = [names for names in same.values() if len(names) > 1]
    return {
        "unreadable": _listed(unreadable),
        "nonfinite": _listed([each.name for each in predictions if each.state == NONFINITE]),
        "tied": _listed([each.name for each in predictions if each.state == TIED]),
        "duplicates": {
            "images": sum(len(names) for names in groups),
            **_listed([names[:MOST_LISTED] for names in groups]),
        },
    }


def _listed(found: Sequence[Any]) -> Facts:
    return {"total": len(found), "first": list(found[:MOST_LISTED])}
