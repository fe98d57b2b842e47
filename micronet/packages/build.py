"""Build a package: from a loaded network and what belongs to it to the bytes of a zip."""

from __future__ import annotations

import importlib.util
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micronet.checkpoints.source import RefusedError
from micronet.errors import MicronetError
from micronet.evaluation.bounded import read_bounded
from micronet.evaluation.data.classes import IMAGE_TRACKS
from micronet.evaluation.predictions_file import predictions_csv
from micronet.evaluation.preprocessing import chosen_preprocessing
from micronet.evaluation.receipt import stem
from micronet.evaluation.receipt_file import SUFFIX as RECEIPT_SUFFIX
from micronet.packages import accuracy, names, texts
from micronet.packages.canonical import zipped
from micronet.packages.checkpoint import is_foreign, without_folder, write_checkpoint
from micronet.packages.compose import composed
from micronet.packages.recount import recount
from micronet.packages.statement import (
    LICENCE_FILE,
    UNKNOWN_LICENCE,
    Source,
    Statement,
    look_of,
)
from micronet.reports import file_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from micronet.checkpoints.card import Preprocessing
    from micronet.checkpoints.loaded import LoadedTarget
    from micronet.packages.recount import Recount


@dataclass(frozen=True)
class Order:
    """What to package. ``model`` is the user's ``--model``; ``licence`` an SPDX id or a file's path.

    ``receipt`` is an accuracy receipt, whose predictions lie where ``micronet evaluate`` puts them.
    """

    loaded: LoadedTarget
    track: str
    rules: str
    model: str | None = None
    receipt: Path | None = None
    code: Sequence[Path] = ()
    approach: Path | None = None
    licence: str | None = None
    authors: Sequence[str] = ()


@dataclass(frozen=True)
class Package:
    """A built package: its name, its bytes, and its score."""

    name: str
    content: bytes
    document: Mapping[str, Any]
    files: int


def build(order: Order) -> Package:
    """The package; the same order gives the same bytes on every machine.

    Raises MicronetError if the network cannot be packed or judged, or the receipt is not of it.
    """
    statement = _statement(order)
    given = _code(order)
    if order.approach is not None:
        given[names.APPROACH] = read_bounded(order.approach, names.MAX_DOCUMENT_BYTES)
    if order.licence is not None and statement.licence == LICENCE_FILE:
        given[names.LICENCE] = read_bounded(Path(order.licence), names.MAX_DOCUMENT_BYTES)
    measured = None if order.receipt is None else accuracy.read_accuracy(order.receipt)
    with tempfile.TemporaryDirectory(prefix="micronet-") as folder:
        path = Path(folder) / names.CHECKPOINT
        write_checkpoint(path, order.loaded, statement.model or order.loaded.architecture)
        found = recount(path, statement, model=order.model if statement.model else None)
        given[names.CHECKPOINT] = path.read_bytes()
    if measured is not None:
        given |= _measured(measured, statement, found)
    receipt = None if measured is None else measured.document
    members = composed(statement, found, given, receipt)
    return Package(statement.name, zipped(members), found.document, len(members))


def _statement(order: Order) -> Statement:
    loaded, card = order.loaded, order.loaded.card
    foreign = order.model is not None and is_foreign(loaded.architecture)
    name = file_name(_name(loaded) if card is None else card.name)
    names.check_name(name)
    look, look_source = _look(order)
    notes = (note for note in loaded.notes if order.model is None or order.model not in note)
    source = Source(loaded.sha256, texts.plain("; ".join(notes)))
    licence = order.licence or (UNKNOWN_LICENCE if card is None else card.licence)
    return Statement(
        name=name,
        title=name if card is None else card.title,
        track=order.track,
        rules=order.rules,
        model=without_folder(order.model) if foreign and order.model else None,
        input=tuple(loaded.inputs.shape),
        authors=tuple(texts.plain(author) for author in order.authors),
        licence=LICENCE_FILE if Path(licence).is_file() else texts.plain(licence),
        paper=None if card is None else card.paper,
        source=source,
        preprocessing=look,
        look_source=look_source,
    )


def _name(loaded: LoadedTarget) -> str:
    """The file's without its ending, or the factory's: "net.py:small" is "small"."""
    return loaded.path.stem if loaded.path is not None else loaded.name.rpartition(":")[2]


def _look(order: Order) -> tuple[Preprocessing | None, str | None]:
    """How an image becomes the input: as it was measured, else as the network's card has it."""
    if order.track not in IMAGE_TRACKS:
        return None, None
    if order.receipt is not None:
        look = accuracy.read_accuracy(order.receipt).document["preprocessing"]
        return (None, None) if look is None else (look_of(look), look["source"])
    try:
        return chosen_preprocessing(order.loaded)
    except MicronetError:  # an input that no habit fits; its costs are counted all the same
        return None, None


def _code(order: Order) -> dict[str, bytes | memoryview]:
    """The sources: those that were named, and the one that the factory is in."""
    paths = list(order.code)
    if order.model is not None and is_foreign(order.loaded.architecture):
        own = _source(order.model)
        if own.resolve() not in {path.resolve() for path in paths}:
            paths.insert(0, own)
    found: dict[str, bytes | memoryview] = {}
    for path in paths:
        name = f"{names.CODE}{path.name}"
        try:
            names.check_name(name)
        except RefusedError as error:
            raise MicronetError(f"{path}: {error}.", "Rename it: letters, digits, _ . -") from error
        if name in found or name == names.INFERENCE:
            raise MicronetError(f"{path}: a package has one file {name}.", "Rename one of them.")
        found[name] = read_bounded(path, names.MAX_CODE_BYTES)
    return found


def _source(model: str) -> Path:
    """The file of ``--model``, whose code has run by now."""
    place = model.rpartition(":")[0]
    if place.endswith(".py"):
        return Path(place)
    found = importlib.util.find_spec(place)
    if found is None or found.origin is None:
        raise MicronetError(f"--model {model}: its source is in no file.", "Give it: --code FILE")
    return Path(found.origin)


def _measured(
    measured: accuracy.Accuracy, statement: Statement, found: Recount
) -> dict[str, bytes | memoryview]:
    """Receipt and predictions for the package, and their quality for the score ``found``."""
    path, document = measured.receipt.path, measured.document
    problem = accuracy.stranger(
        document,
        statement,
        state_sha256=found.state_sha256,
        file_sha256=found.document["target"]["sha256"],
    )
    if problem is not None:
        raise MicronetError(
            f"{path}: does not fit what is packed: {problem}.",
            "Evaluate the packed file: package without --evaluation, unzip, "
            "micronet evaluate checkpoint.pt --data DIR",
        )
    name = f"{names.EVALUATION}{stem(document)}{RECEIPT_SUFFIX}"
    given: dict[str, bytes | memoryview] = {name: read_bounded(path, names.MAX_DOCUMENT_BYTES)}
    said = document["predictions"]
    if said is not None and measured.predictions is not None:
        rows = measured.predictions
        given[f"{names.EVALUATION}{said['file']}"] = predictions_csv(
            rows.predictions, real=rows.real
        )
    found.document["quality"] = accuracy.quality_of(measured, name)
    return given
