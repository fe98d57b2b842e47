"""Verify a package: read it as hostile input, make everything in it again, and compare."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.source import RefusedError, mapped
from micronet.errors import MicronetError
from micronet.packages import checks, names
from micronet.packages.accuracy import Accuracy, quality_of, read_accuracy, stranger
from micronet.packages.archive import read_archive
from micronet.packages.compose import composed, receipt_name
from micronet.packages.opened import Opened, opened, plain_json, without
from micronet.packages.report import FAIL, PASS, SKIPPED, UNJUDGED, Check, Report
from micronet.packages.signature import signature_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from micronet.evaluation.progress import Progress
    from micronet.packages.recount import Recount

    Watch = Callable[[Progress], None]

DEFAULT_IMAGES: Final = 100


@dataclass(frozen=True)
class Request:
    """How far to go. ``images``: how many answers to evaluate again on ``data``, None for all.

    ``model`` is the verifier's own copy of a network that no registry knows, which is run;
    ``signer`` a public key or a file of allowed signers.
    """

    model: str | None = None
    data: Path | None = None
    labels: Path | None = None
    images: int | None = DEFAULT_IMAGES
    lanes: int = 1
    signer: Path | None = None


def verify(path: Path, request: Request, watch: Watch = lambda _: None) -> Report:
    """What there is to say of the package at ``path``. Nothing of it is executed.

    Raises MicronetError only for mistakes in ``request``.
    """
    try:
        if path.is_file() and path.stat().st_size == 0:
            return _unreadable(path, None, "it is empty")
        with mapped(path) as data:
            return _verified(path, data, request, watch)
    except OSError as error:
        return _unreadable(path, None, f"it cannot be read: {error.strerror}")


def _unreadable(path: Path, sha256: str | None, reason: str) -> Report:
    return Report(str(path), sha256, (Check("archive", UNJUDGED, reason),))


def _verified(path: Path, data: memoryview, request: Request, watch: Watch) -> Report:
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        members = read_archive(data)
    except RefusedError as error:
        return _unreadable(path, sha256, str(error))
    archive = Check("archive", PASS, f"{len(members)} files, {len(data):,} bytes")
    report = Report(str(path), sha256, (archive,))
    with tempfile.TemporaryDirectory(prefix="micronet-") as made:
        folder = Path(made)
        try:
            package = opened(members, folder)
        except RefusedError as error:
            return _with(report, Check("files", UNJUDGED, str(error)))
        report = replace(report, manifest=package.manifest)
        report = _with(report, checks.files(package), checks.rules(package))
        report = _recounted(report, package, folder, request, watch)
    return _with(report, signature_of(path, data, request.signer))


def _with(report: Report, *rows: Check) -> Report:
    return replace(report, checks=(*report.checks, *rows))


def _recounted(
    report: Report, package: Opened, folder: Path, request: Request, watch: Watch
) -> Report:
    """``report`` with all that follows from a recount, if there can be one."""
    if not report.judged or not checks.scores(package.statement.rules):
        return report
    found = _recount(package, folder, request.model)
    if isinstance(found, Check):
        return _with(report, found)
    source = "your copy of its code was run" if package.statement.model else "nothing was run"
    report = _with(report, Check("checkpoint", PASS, source))
    accuracy, row = _accuracy(package, folder, found)
    rows = [row]
    if accuracy is not None:
        found.document["quality"] = quality_of(accuracy, receipt_name(package.members) or "")
        rows.append(_answers(accuracy, found, report, request, watch))
    sound = accuracy is not None or row.outcome != FAIL
    rows += _comparisons(package, folder, found, accuracy, sound=sound)
    report = replace(_with(report, *rows), document=found.document)
    return _with(report, checks.quality(found.document))


def _recount(package: Opened, folder: Path, model: str | None) -> Recount | Check:
    from micronet.packages.recount import recount

    statement = package.statement
    if statement.model is not None and model is None:
        because = (
            f"its network is built by code, {statement.model}, which is not run; "
            "read it, then give your own copy: --model file.py:factory"
        )
        return Check("checkpoint", UNJUDGED, because)
    try:
        return recount(
            folder / names.CHECKPOINT, statement, model=model if statement.model else None
        )
    except MicronetError as error:
        return Check("checkpoint", UNJUDGED, without(folder, error))


def _accuracy(package: Opened, folder: Path, found: Recount) -> tuple[Accuracy | None, Check]:
    name = receipt_name(package.members)
    if name is None:
        return None, Check("evaluation", SKIPPED, "the package has no accuracy receipt")
    try:
        accuracy = read_accuracy(folder / name)
    except MicronetError as error:
        because = without(folder, error).replace(f"{folder}/", "")
        return None, Check("evaluation", FAIL, because)
    problem = stranger(
        accuracy.document,
        package.statement,
        state_sha256=found.state_sha256,
        file_sha256=found.document["target"]["sha256"],
    )
    if problem is not None:
        return None, Check("evaluation", FAIL, f"the receipt is not of this network: {problem}")
    quality = accuracy.document["quality"]
    if accuracy.predictions is None:
        because = f"{quality['metric']} {quality['value']}, by the receipt alone"
    else:
        because = f"{quality['correct']:,} of {quality['of']:,} right, counted again"
    return accuracy, Check("evaluation", PASS, because)


def _answers(
    accuracy: Accuracy, found: Recount, report: Report, request: Request, watch: Watch
) -> Check:
    if request.data is None:
        return Check("answers", SKIPPED, "no images were given: --data DIR")
    from micronet.packages.answers import answers_again

    return answers_again(
        accuracy,
        found.loaded,
        data=request.data,
        labels=request.labels,
        images=request.images,
        seed=str(report.sha256),
        lanes=request.lanes,
        watch=watch,
    )


def _comparisons(
    package: Opened, folder: Path, found: Recount, accuracy: Accuracy | None, *, sound: bool
) -> list[Check]:
    """What the package says, against what is made again from checkpoint, receipt and statement.

    Without a ``sound`` receipt only what follows from the checkpoint is compared.
    """
    try:
        stated: Any = plain_json(folder / names.SCORE)
    except RefusedError as error:
        stated = None
        score = Check("score", FAIL, str(error))
    else:
        score = checks.score(package, stated, found.document, sound=sound)
    receipt = None if accuracy is None else accuracy.document
    again = composed(package.statement, found, package.members, receipt)
    rows = [score, checks.layers(package, again), checks.freebie(stated, found.document)]
    if not sound:
        because = "the accuracy receipt does not hold"
        return [*rows, *(Check(each, SKIPPED, because) for each in ("manifest", "documents"))]
    made: Any = json.loads(bytes(again[names.MANIFEST]))
    return [*rows, checks.manifest(package, made), checks.documents(package, again)]
