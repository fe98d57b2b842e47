"""The evidence that ``micronet audit`` judges by: from receipts where they fit, else counted now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from micronet.commands import console, machine
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from micronet.audit.audit import Known
    from micronet.audit.entry import ClaimsFile, Entry
    from micronet.audit.evidence import Evidence
    from micronet.commands.audit_progress import Steps

Format = Literal["terminal", "markdown", "json"]


@dataclass(frozen=True)
class Request:
    """One ``micronet audit`` command line; the fields are its options."""

    claims: str | None
    target: str | None = None
    entry: str | None = None
    model: str | None = None
    weights: Path | None = None
    input_shape: str | None = None
    data: Path | None = None
    images: int = 32
    calibrate: Path | None = None
    trust: bool = False
    recount: bool = False
    save: bool = False
    format: Format = "terminal"
    threads: int | None = None
    json: bool = False

    @property
    def names_a_target(self) -> bool:
        """Whether the command line says what to recount, whatever the claims file names."""
        return any(each is not None for each in (self.target, self.model, self.weights))


def evidence_of(request: Request, files: Sequence[ClaimsFile], root: Path) -> dict[int, Known]:
    """The evidence about every entry, by its identity: a receipt's if it fits, else counted now."""
    pairs = [(file, entry) for file in files for entry in file.entries]
    found = {id(entry): _kept(request, entry, root) for _, entry in pairs}
    missing = [(file, entry) for file, entry in pairs if found[id(entry)][0] is None]
    if not missing:
        return found
    from micronet.commands.audit_progress import shown

    with shown(len(missing)) as steps:
        for file, entry in missing:
            steps.entry(entry.name)
            found[id(entry)] = _tried(request, entry, file, root, steps)
    return found


def _kept(request: Request, entry: Entry, root: Path) -> Known:
    """The evidence of a receipt, unless the command line or a card's file asks for another count."""
    from micronet.audit.receipts import from_receipt

    if request.recount or request.names_a_target or request.data or request.calibrate:
        return None, ""
    known = from_receipt(entry, root)
    return (None, "") if known[0] is not None and _changed(entry, known[0]) else known


def _changed(entry: Entry, evidence: Evidence) -> bool:
    """Whether a card's file is here, and is not the one that the evidence is about."""
    if entry.card is None:
        return False
    from micronet.checkpoints.card import card
    from micronet.checkpoints.digest import sha256_of
    from micronet.checkpoints.whereabouts import kept

    here = kept(card(entry.card))
    return here is not None and sha256_of(here.path) != evidence.target["sha256"]


def _tried(request: Request, entry: Entry, file: ClaimsFile, root: Path, steps: Steps) -> Known:
    """Count; what cannot be counted is no reason not to judge the others."""
    try:
        return _counted(request, entry, file, root, steps)
    except MicronetError as error:
        return None, str(error).replace("\n", " ")


def _counted(request: Request, entry: Entry, file: ClaimsFile, root: Path, steps: Steps) -> Known:
    from micronet.audit.receipts import recountable

    if not (request.names_a_target or recountable(entry)):
        return None, entry.why or "there is nothing to recount"
    if entry.model is not None and not request.names_a_target:
        _check_trust(request, entry, file)
    from micronet.audit.counting import Wanted, count_entry

    machine.prepare("cpu", request.threads)
    evidence = count_entry(
        entry,
        Wanted(
            target=request.target,
            model=request.model,
            weights=request.weights,
            input_shape=machine.input_shape(request.input_shape),
            data=request.data,
            images=request.images,
            calibrate=request.calibrate,
        ),
        on_image=steps.image,
    )
    if request.save:
        from micronet.audit.evidence import document, evidence_path
        from micronet.reports import write_receipt

        path = evidence_path(root, entry.card or entry.name)
        write_receipt(path, document(evidence))
        console.say(f"evidence: {path.relative_to(root)}")
    return evidence, ""


def _check_trust(request: Request, entry: Entry, file: ClaimsFile) -> None:
    """A claims file is somebody else's: the code that it names runs only if the user says so."""
    if request.trust or entry.model is None or entry.model.startswith("torchvision:"):
        return
    raise MicronetError(
        f"{file.name}: {entry.name} names code to run: {entry.model}.",
        f"Read it first; then: --trust, or --model {entry.model}",
    )
