"""Two networks on the same images: where they differ, and whether that could be chance. No torch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.digest import sha256_of
from micronet.errors import MicronetError
from micronet.evaluation.predictions_file import read_file
from micronet.evaluation.receipt_file import predictions_of, read_receipt
from micronet.evaluation.statistics import mcnemar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from micronet.evaluation.prediction import Prediction

SCHEMA: Final = "micronet.comparison/1"
_MOST_LISTED: Final = 100
_SHOWN_LENGTH: Final = 60

Pair = tuple["Prediction", "Prediction"]


@dataclass(frozen=True)
class Side:
    """One of the two: how it is called, its file, and its predictions."""

    name: str
    path: Path
    sha256: str
    predictions: Sequence[Prediction]


def compare(a: Path, b: Path) -> dict[str, Any]:
    """The ``micronet.comparison/1`` document of two receipts, or files of predictions.

    MicronetError unless they share images, with the same labels.
    """
    return comparison(side(a), side(b))


def side(path: Path) -> Side:
    """What a receipt (.json) or a file of predictions holds."""
    if path.suffix != ".json":
        found = read_file(path)
        return Side(path.name, path, found.sha256, found.predictions)
    receipt = read_receipt(path)
    kept = predictions_of(receipt)
    if kept is None:
        said = receipt.document["predictions"]
        what = "no predictions of images" if said is None else f"{said['file']}, which is not here"
        raise MicronetError(
            f"{path}: has {what}.", "Images are compared one by one: name a file of predictions."
        )
    named = receipt.document
    name = f"{named['target']['name']} on {named['data']['name']}"
    return Side(name, path, sha256_of(path), kept.predictions)


def comparison(a: Side, b: Side) -> dict[str, Any]:
    """The document of two sides; images are the same where their names are."""
    pairs = _pairs(a, b)
    _check_labels(pairs)
    surest = sorted(pairs, key=_margin, reverse=True)  # stable: else in the order of A
    kinds = Counter(_kind(pair) for pair in pairs)
    changed = [x.name for x, y in pairs if x.content and y.content and x.content != y.content]
    return {
        "schema": SCHEMA,
        "a": {"name": a.name, "file": a.path.name, "sha256": a.sha256},
        "b": {"name": b.name, "file": b.path.name, "sha256": b.sha256},
        "images": {
            "both": len(pairs),
            "only_a": len(a.predictions) - len(pairs),
            "only_b": len(b.predictions) - len(pairs),
        },
        "changed": {"total": len(changed), "first": changed[:_MOST_LISTED]},
        "correct": {
            "a": kinds["both right"] + kinds["only a"],
            "b": kinds["both right"] + kinds["only b"],
        },
        "top1": {
            "both_right": kinds["both right"],
            "only_a_right": kinds["only a"],
            "only_b_right": kinds["only b"],
            "both_wrong_same_answer": kinds["same mistake"],
            "both_wrong_other_answer": kinds["other mistake"],
        },
        "mcnemar": {
            "only_a": kinds["only a"],
            "only_b": kinds["only b"],
            "p": mcnemar(kinds["only a"], kinds["only b"]),
        },
        "differences": [_difference(pair) for pair in surest if _differ(pair)],
    }


def _pairs(a: Side, b: Side) -> list[Pair]:
    others = {each.name: each for each in b.predictions}
    pairs = [(each, others[each.name]) for each in a.predictions if each.name in others]
    if not pairs:
        one, two = (f"'{_cut(each.predictions[0].name)}'" for each in (a, b))
        raise MicronetError(
            f"{a.path} and {b.path} have no image in common: {one} in A, {two} in B.",
            "Images are compared by their names: evaluate both networks on the same data.",
        )
    return pairs


def _check_labels(pairs: Sequence[Pair]) -> None:
    wrong = [(x, y) for x, y in pairs if x.label != y.label]
    if wrong:
        x, y = wrong[0]
        raise MicronetError(
            f"The labels differ for {len(wrong):,} of {len(pairs):,} images:"
            f" '{_cut(x.name)}' has {x.label} in A, {y.label} in B.",
            "Evaluate both networks on the same data, with the same --labels.",
        )


def _kind(pair: Pair) -> str:
    x, y = pair
    if x.correct or y.correct:
        return "both right" if x.correct and y.correct else "only a" if x.correct else "only b"
    return "other mistake" if _differ(pair) else "same mistake"


def _differ(pair: Pair) -> bool:
    return pair[0].top[:1] != pair[1].top[:1]


def _margin(pair: Pair) -> int:
    return max(each.margin_percent or 0 for each in pair)


def _difference(pair: Pair) -> Mapping[str, Any]:
    x, y = pair
    return {
        "name": x.name,
        "label": x.label,
        "a": x.top[0] if x.top else None,
        "b": y.top[0] if y.top else None,
        "a_margin_percent": x.margin_percent,
        "b_margin_percent": y.margin_percent,
    }


def _cut(name: str) -> str:
    shown = repr(name)[1:-1]
    return shown if len(shown) <= _SHOWN_LENGTH else f"{shown[:_SHOWN_LENGTH]}…"
