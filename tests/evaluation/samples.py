"""Predictions and receipts, made by hand."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema

from micronet.evaluation.data.dataset import Dataset, Example
from micronet.evaluation.prediction import NONFINITE, OK, TIED, UNREADABLE, Prediction
from micronet.evaluation.receipt import evaluation_document
from micronet.evaluation.schema import evaluation_schema
from micronet.scoring.tracks import track

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE = "1234567890abcdef" * 4
STATE = "fedcba0987654321" * 4
LOOK = {
    "resize": 256,
    "crop": 224,
    "interpolation": "bicubic",
    "antialias": True,
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "decoder": "pil",
    "source": "card by_hand",
}
TARGET = {
    "name": "by_hand",
    "sha256": FILE,
    "state_sha256": STATE,
    "architecture": "hand_made",
    "weights": "trained",
}


def content(word: object) -> str:
    return hashlib.sha256(str(word).encode()).hexdigest()


def prediction(index: int = 0, **changes: Any) -> Prediction:
    """An image called imageN of class 7, answered with 7 first."""
    plain: dict[str, Any] = {
        "index": index,
        "name": f"image{index}",
        "label": 7,
        "top": (7, 3, 1, 0, 2),
        "margin_percent": 73,
        "state": OK,
        "content": content(index),
    }
    return Prediction(**{**plain, **changes})


def answered(correct: int, of: int) -> tuple[Prediction, ...]:
    """``of`` images, the first ``correct`` of them right; the others in the best five."""
    wrong = (3, 7, 1, 0, 2)
    return tuple(
        prediction(index) if index < correct else prediction(index, top=wrong)
        for index in range(of)
    )


def dataset(predictions: Sequence[Prediction], **changes: Any) -> Dataset:
    plain: dict[str, Any] = {
        "name": "val",
        "kind": "class folders",
        "root": Path("val"),
        "classes": tuple(f"class{label}" for label in range(1000)),
        "examples": tuple(Example(each.name, each.label, 0) for each in predictions),
        "read": lambda _: b"",
        "fingerprint": content("fingerprint"),
        "split": None,
        "recognised": f"{len(predictions):,} images of nobody knows what",
    }
    return Dataset(**{**plain, **changes})


def document(
    predictions: Sequence[Prediction], *, split: str | None = None, **changes: Any
) -> dict[str, Any]:
    """The evaluation of the hand-made network on ``predictions``."""
    plain: dict[str, Any] = {
        "target": TARGET,
        "track": track("imagenet"),
        "dataset": dataset(predictions, split=split),
        "preprocessing": LOOK,
        "arithmetic": {"dtype": "float32", "device": "cpu", "compiled": False},
        "predictions": predictions,
    }
    return evaluation_document(**{**plain, **changes})


FLAGGED = (
    prediction(0),
    prediction(1, top=(3, 7, 1, 0, 2), margin_percent=0, state=TIED),
    prediction(2, top=(), margin_percent=None, state=NONFINITE),
    prediction(3, top=(), margin_percent=None, state=UNREADABLE, problem="cut off", content=""),
    prediction(4, content=content(0)),
    prediction(5, top=(3,), content=content(0)),
)
REAL = ((7,), (7, 3), (7,), (), (), (3,))


def complaints(found: object) -> list[str]:
    """Where jsonschema finds something wrong with an evaluation document."""
    validator = jsonschema.Draft202012Validator(evaluation_schema())
    return [error.json_path for error in validator.iter_errors(found)]
