"""``micronet score``: load, count, show; the counting itself is ``micronet.scoring``."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micronet.commands import console, machine
from micronet.errors import Finding, MicronetError
from micronet.reports import RECEIPTS, file_name, write_receipt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn


@dataclass(frozen=True)
class Request:
    """One ``micronet score`` command line; the fields are its options."""

    target: str | None
    model: str | None = None
    weights: Path | None = None
    trust: bool = False
    shapes_only: bool = False
    rules: str | None = None
    track: str | None = None
    input_shape: str | None = None
    bits: int | None = None
    layers: str = "12"
    second_opinion: bool = False
    require_quality: bool = False
    save: bool = False
    device: str = "cpu"
    threads: int | None = None
    json: bool = False


def run(request: Request) -> int:
    """Score the target and show the document; raises Finding where it must not pass."""
    top = machine.layer_limit(request.layers)
    document = _document(request)
    if request.json:
        console.write_json(document)
    else:
        from micronet.commands.render import score_view

        console.write(score_view(document, top=top, width=console.terminal_columns()))
    if request.save:
        console.say(f"receipt: {save_receipt(document, Path.cwd())}")
    if request.require_quality:
        judge(document, evaluate=_how_to_evaluate(request))
    return 0


def _document(request: Request) -> dict[str, Any]:
    if request.target is None and request.model is None and request.weights is None:
        raise MicronetError(
            "Nothing to score: neither a target nor --model.",
            "See: micronet list, then micronet score NAME",
        )
    shape = machine.input_shape(request.input_shape)
    device = machine.prepare(request.device, request.threads)
    from micronet.checkpoints.target import load_target
    from micronet.scoring import score_target

    loaded = load_target(
        request.target,
        model=request.model,
        weights=request.weights,
        input_shape=shape,
        trust=request.trust,
        shapes_only=request.shapes_only,
    )
    if device.type != "cpu":
        loaded.model.to(device)
    document = score_target(
        loaded,
        rules=request.rules,
        track=request.track,
        bits=request.bits,
        second_opinion=request.second_opinion,
    )
    add_quality(document, loaded.model, Path.cwd())
    return document


def add_quality(document: dict[str, Any], model: nn.Module, root: Path) -> None:
    """Fill the document's quality from the evaluation receipts in ``root``/reports, if one fits."""
    from micronet.evaluation.lookup import quality_for
    from micronet.evaluation.state_digest import state_sha256

    quality, notes = quality_for(
        document["target"], document["track"], root, state_sha256=lambda: state_sha256(model)
    )
    document["notes"] = [*document["notes"], *notes]
    if quality is not None:
        document["quality"] = quality


def save_receipt(document: Mapping[str, Any], root: Path) -> Path:
    """Write ``document`` to ``root``/reports/receipts/NAME.RULES.json and return that path."""
    name, rules = document["target"]["name"], document["rules"]["name"]
    path = root / RECEIPTS / file_name(f"{name}.{rules}.json")
    write_receipt(path, document)
    return path


def judge(document: Mapping[str, Any], *, evaluate: str) -> None:
    """Return if the quality was measured to qualify; raise Finding if it was measured not to.

    MicronetError with the command ``evaluate`` if nobody measured it, or not on the whole data set.
    """
    name, quality = document["target"]["name"], document.get("quality") or {}
    if document["track"] is None:
        raise MicronetError(
            f"Quality is required, but {name} is on no track: there is no threshold to meet.",
            "Leave --require-quality out; the accuracy stands beside the costs.",
        )
    qualifies, verdict = quality.get("qualifies"), quality.get("verdict")
    if qualifies is None and verdict is None:
        raise MicronetError(f"Quality is required, and none is known for {name}.", evaluate)
    if qualifies is None:
        raise MicronetError(f"Quality is required: {name}: {verdict}.", evaluate)
    if not qualifies:
        raise Finding(f"{name} {verdict}.")


def _how_to_evaluate(request: Request) -> str:
    model = [] if request.model is None else ["--model", request.model]
    weights = [] if request.weights is None else ["--weights", str(request.weights)]
    words = [*([] if request.target is None else [request.target]), *model, *weights]
    return f"Measure it: micronet evaluate {shlex.join(words)} --data DIR"
