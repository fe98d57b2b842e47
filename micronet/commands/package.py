"""``micronet package``: load, count, pack, and say what the package states."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micronet.checkpoints.atomic import write_bytes
from micronet.commands import console, machine, numbers
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from micronet.checkpoints.loaded import LoadedTarget
    from micronet.packages.build import Order, Package


@dataclass(frozen=True)
class Request:
    """One ``micronet package`` command line; the fields are its options."""

    target: str | None
    out: Path
    model: str | None = None
    weights: Path | None = None
    rules: str | None = None
    track: str | None = None
    input_shape: str | None = None
    evaluation: Path | None = None
    code: tuple[Path, ...] = ()
    approach: Path | None = None
    licence: str | None = None
    authors: tuple[str, ...] = ()
    sign: Path | None = None
    json: bool = False


def run(request: Request) -> int:
    """Write the package, and the signature beside it if one was asked for."""
    if request.target is None and request.model is None and request.weights is None:
        raise MicronetError(
            "Nothing to package: neither a target nor --model.",
            "See: micronet list, then micronet package NAME -o entry.zip",
        )
    from micronet.packages.build import build

    made = build(_order(request))
    signature = None
    if request.sign is not None:
        from micronet.packages.signature import sign

        signature = sign(made.content, request.sign)
    write_bytes(request.out, made.content)
    beside = request.out.with_name(f"{request.out.name}.sig")
    if signature is not None:
        write_bytes(beside, signature)
    facts = _facts(request, made)
    if request.json:
        console.write_json(facts)
    else:
        _show(facts, signed=None if signature is None else beside)
    return 0


def _order(request: Request) -> Order:
    from micronet.checkpoints.target import load_target
    from micronet.packages.build import Order
    from micronet.packages.checks import scores
    from micronet.scoring.api import DEFAULT_RULES, DEFAULT_TRACK
    from micronet.scoring.tracks import track_or_none, tracks

    loaded = load_target(
        request.target,
        model=request.model,
        weights=request.weights,
        input_shape=machine.input_shape(request.input_shape),
    )
    card = loaded.card
    rules = request.rules or (card.rules if card else DEFAULT_RULES)
    track = request.track or (card.track if card else DEFAULT_TRACK)
    if track_or_none(track) is None:
        raise MicronetError(
            f"{loaded.name}: {track} is no track of the challenge, and a package is an entry to one.",
            f"Entries are to one of: {', '.join(each.name for each in tracks())}.",
        )
    if not scores(rules):
        raise MicronetError(
            f"The rule book '{rules}' is no reading of the challenge's rules.",
            "Package by: --rules micronet2019",
        )
    return Order(
        loaded=loaded,
        track=track,
        rules=rules,
        model=request.model,
        receipt=request.evaluation or _fitting(loaded, track),
        code=request.code,
        approach=request.approach,
        licence=request.licence,
        authors=request.authors,
    )


def _fitting(loaded: LoadedTarget, track: str) -> Path | None:
    """The receipt in reports/ that ``micronet score`` would take the quality from."""
    from micronet.evaluation.lookup import quality_for
    from micronet.evaluation.state_digest import state_sha256

    target = {
        "sha256": loaded.sha256,
        "architecture": loaded.architecture,
        "input": list(loaded.inputs.shape),
    }
    root = Path.cwd()
    quality, notes = quality_for(
        target, track, root, state_sha256=lambda: state_sha256(loaded.model)
    )
    for note in notes:
        console.say(note)
    return None if quality is None else root / quality["receipt"]


def _facts(request: Request, made: Package) -> dict[str, Any]:
    document = made.document
    return {
        "path": str(request.out),
        "bytes": len(made.content),
        "sha256": hashlib.sha256(made.content).hexdigest(),
        "name": made.name,
        "files": made.files,
        "track": document["track"],
        "score": document["score"]["total"],
        "parameters": document["storage"]["parameters"],
        "operations": document["operations"]["total"],
        "quality": document["quality"],
    }


def _show(facts: dict[str, Any], signed: Path | None) -> None:
    quality = facts["quality"]
    costs = f"{numbers.count(facts['parameters'])} parameters, {numbers.count(facts['operations'])}"
    lines = [
        f"{facts['path']}  {numbers.file_size(facts['bytes'])}, {facts['files']} files",
        f"sha256 {facts['sha256']}",
        f"score {numbers.score(facts['score'])} on {facts['track']}: {costs} operations",
        f"accuracy {quality['verdict'] if quality['receipt'] else 'not measured'}",
    ]
    if signed is not None:
        lines.append(f"signature {signed}")
    console.write(lines)
