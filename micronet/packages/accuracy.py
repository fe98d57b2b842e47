"""The accuracy receipt of a package: recounted from its predictions, and held against the network.

No torch here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from micronet.errors import MicronetError
from micronet.evaluation.data.classes import IMAGE_TRACKS, track_classes
from micronet.evaluation.data.dataset import Example
from micronet.evaluation.data.recognise import recognise
from micronet.evaluation.receipt_file import Receipt, predictions_of, read_receipt
from micronet.packages.statement import look_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from micronet.evaluation.prediction import Prediction
    from micronet.evaluation.predictions_file import PredictionsFile
    from micronet.packages.statement import Statement

_KEPT: Final = ("metric", "correct", "of", "value", "threshold", "qualifies", "verdict")


@dataclass(frozen=True)
class Accuracy:
    """A receipt that agrees with itself and with its predictions (None for a language model)."""

    receipt: Receipt
    predictions: PredictionsFile | None

    @property
    def document(self) -> Mapping[str, Any]:
        """The ``micronet.evaluation/1`` document."""
        return self.receipt.document


def read_accuracy(path: Path) -> Accuracy:
    """The receipt at ``path``, recounted; MicronetError if anything in it contradicts.

    What its predictions' names and labels are is looked at again: only all of a track's test set
    can qualify, whatever the receipt calls them.
    """
    receipt = read_receipt(path)
    predictions = predictions_of(receipt)
    said = receipt.document["predictions"]
    if said is not None and predictions is None:
        raise MicronetError(f"{path}: its predictions, {said['file']}, are not here.")
    if predictions is not None:
        _check_split(path, receipt.document, predictions.predictions)
    return Accuracy(receipt, predictions)


def _check_split(
    path: Path, document: Mapping[str, Any], predictions: Sequence[Prediction]
) -> None:
    stated, track = document["data"]["split"], document["track"]
    if stated is None or track not in IMAGE_TRACKS:
        return
    examples = [Example(each.name, each.label, 0) for each in predictions]
    found, words = recognise(examples, track_classes(track) or ())
    if found != stated:
        raise MicronetError(f"{path}: says that it is of {stated}; its predictions are of {words}.")


def quality_of(accuracy: Accuracy, name: str) -> dict[str, Any]:
    """The ``quality`` of a score, from the receipt that the package calls ``name``."""
    quality = accuracy.document["quality"]
    return {**{key: quality[key] for key in _KEPT}, "receipt": name}


def stranger(
    document: Mapping[str, Any],
    statement: Statement,
    *,
    state_sha256: str | None,
    file_sha256: str | None,
) -> str | None:
    """Why a receipt is not of this network as it is counted; None if it is.

    The tensors decide; where they have no digest (packed quantised weights), the file does.
    """
    target = document["target"]
    if document["track"] != statement.track:
        return f"it is of track {document['track']}, the entry of {statement.track}"
    of = target["state_sha256"] if state_sha256 is not None else target["sha256"]
    ours = state_sha256 if state_sha256 is not None else file_sha256
    if of is None or of != ours:
        return "it is of other weights"
    look, stated = document["preprocessing"], statement.preprocessing
    if (look is None) != (stated is None) or (look is not None and look_of(look) != stated):
        return "it was measured with another preprocessing than the entry states"
    measured, counted = input_pixels(document), tuple(statement.input[-2:])
    if measured is not None and measured != counted:
        return f"it was measured at {_by(measured)} pixels, the costs are of {_by(counted)}"
    return None


def input_pixels(document: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Height and width that a receipt's preprocessing ends in; None where images stay as they are."""
    look = document["preprocessing"]
    if look is None:
        return None
    if look["crop"] is not None:
        return (look["crop"], look["crop"])
    return tuple(look["resize"]) if isinstance(look["resize"], list) else None


def _by(extents: tuple[int, ...]) -> str:
    return "×".join(map(str, extents))


def predictions_name(receipt: bytes | memoryview) -> str | None:
    """The file of predictions that a receipt names, however broken it is otherwise."""
    try:
        said = json.loads(bytes(receipt))["predictions"]
        return None if said is None else str(said["file"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
