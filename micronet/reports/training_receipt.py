"""Training receipts on disk: believed only after their epochs were added up again. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import resources
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, Final

from micronet.errors import MicronetError
from micronet.evaluation.bounded import read_json
from micronet.evaluation.schema import problems
from micronet.reports import RECEIPTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SUFFIX: Final = ".training.json"
MAX_FILE_BYTES: Final = 2**24
_MOST_SHOWN: Final = 3
# What the document says of the whole run, and what its last epoch calls it.
_TOTALS: Final = {
    "epochs": "epoch",
    "steps": "step",
    "edges": "kept",
    "train_right": "right",
    "train_images": "images",
    "test_right": "test_right",
    "test_images": "test_images",
}


@dataclass(frozen=True)
class TrainingReceipt:
    """A ``micronet.training/1`` document that agrees with itself."""

    path: Path
    document: Mapping[str, Any]

    @property
    def card(self) -> str:
        """The card whose recipe it was."""
        return str(self.document["card"])

    @property
    def digest(self) -> str:
        """The recipe's."""
        return str(self.document["recipe_digest"])

    @property
    def seed(self) -> int:
        """What decided all chance."""
        return int(self.document["seed"])

    @property
    def history(self) -> Sequence[Mapping[str, Any]]:
        """Its epochs, the first one first."""
        rows: Sequence[Mapping[str, Any]] = self.document["history"]
        return rows

    @property
    def accuracy(self) -> Fraction | None:
        """Percent of the test images after the last epoch; None where there were none."""
        return accuracy_after(self.history[-1])


def accuracy_after(epoch: Mapping[str, Any]) -> Fraction | None:
    """Percent of the test images that were answered rightly after ``epoch``, exactly."""
    if epoch["test_images"] is None:
        return None
    return Fraction(100 * epoch["test_right"], epoch["test_images"])


def read_trainings(root: Path) -> tuple[TrainingReceipt, ...]:
    """Every training receipt in ``root``/reports/receipts, by file name.

    MicronetError for a file that is none or contradicts itself.
    """
    return tuple(_read(path) for path in sorted((root / RECEIPTS).glob(f"*{SUFFIX}")))


def _read(path: Path) -> TrainingReceipt:
    document = read_json(path, MAX_FILE_BYTES)
    wrong = list(islice(problems(document, _schema()), _MOST_SHOWN))
    wrong = wrong or list(islice(_contradictions(document), _MOST_SHOWN))
    if wrong:
        raise MicronetError(
            f"{path}: is no receipt of a training: {'; '.join(wrong)}.",
            "Delete it, and train again: micronet train CARD --data DIR --save",
        )
    return TrainingReceipt(path, document)


@cache
def _schema() -> Mapping[str, Any]:
    text = resources.files("micronet").joinpath("training/training.schema.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _contradictions(document: Mapping[str, Any]) -> Iterator[str]:
    """What cannot be true together, of a document that has the right form."""
    history, recipe = document["history"], document["recipe"]
    if len(history) != document["epochs"]:
        yield f"{document['epochs']} epochs, but a history of {len(history)}"
        return
    for total, name in _TOTALS.items():
        if document[total] != history[-1][name]:
            yield f"{total} is {document[total]}, but {history[-1][name]} in the last epoch"
    for key in ("method", "epochs"):
        if recipe[key] != document[key]:
            yield f"{key} is {document[key]}, but {recipe[key]} in the recipe"
    for number, epoch in enumerate(history, 1):
        yield from (f"epoch {number}: {each}" for each in _wrong_epoch(document, epoch, number))
    for before, epoch in pairwise(history):
        if epoch["kept"] != before["kept"] + epoch["entered"] - epoch["left"]:
            yield (
                f"epoch {epoch['epoch']}: {before['kept']} edges + {epoch['entered']} entered"
                f" - {epoch['left']} left are not {epoch['kept']}"
            )


def _wrong_epoch(
    document: Mapping[str, Any], epoch: Mapping[str, Any], number: int
) -> Iterator[str]:
    data = document["data"]
    steps = number * -(-data["train_images"] // document["recipe"]["batch_size"])
    due = {
        "epoch": number,
        "step": steps,
        "images": data["train_images"],
        "test_images": data.get("test_images"),
    }
    for key, value in due.items():
        if epoch[key] != value:
            yield f"{key} is {epoch[key]}, expected {value}"
    if (epoch["test_right"] is None) != (epoch["test_images"] is None):
        yield "test_right and test_images are known together or not at all"
    most = {"right": "images", "test_right": "test_images", "entered": "kept", "alive": "targets"}
    for part, whole in most.items():
        if None not in (epoch[part], epoch[whole]) and epoch[part] > epoch[whole]:
            yield f"{part} is {epoch[part]}, of {epoch[whole]}"
