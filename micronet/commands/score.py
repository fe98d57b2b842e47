"""``micronet score``: load, count, show; the counting itself is ``micronet.scoring``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micronet.checkpoints.atomic import write_bytes
from micronet.commands import console, machine
from micronet.errors import Finding, MicronetError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Request:
    """One ``micronet score`` command line; the fields are its options."""

    target: str | None
    model: str | None = None
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
    judge(document, require_quality=request.require_quality)
    return 0


def _document(request: Request) -> Mapping[str, Any]:
    if request.target is None and request.model is None:
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
        input_shape=shape,
        trust=request.trust,
        shapes_only=request.shapes_only,
    )
    if device.type != "cpu":
        loaded.model.to(device)
    return score_target(
        loaded,
        rules=request.rules,
        track=request.track,
        bits=request.bits,
        second_opinion=request.second_opinion,
    )


def save_receipt(document: Mapping[str, Any], root: Path) -> Path:
    """Write ``document`` to ``root``/reports/receipts/NAME.RULES.json and return that path."""
    name, rules = document["target"]["name"], document["rules"]["name"]
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{name}.{rules}.json").lstrip(".-")
    path = root / "reports" / "receipts" / slug
    write_bytes(path, console.json_text(document).encode())
    return path


def judge(document: Mapping[str, Any], *, require_quality: bool) -> None:
    """If quality is required: raise Finding below the threshold, MicronetError if nobody measured it."""
    if not require_quality:
        return
    quality = document.get("quality") or {}
    qualifies = quality.get("qualifies")
    if qualifies is None:
        raise MicronetError(
            f"Quality is required, and none is known for {document['target']['name']}.",
            "Leave --require-quality out to see the costs alone.",
        )
    if not qualifies:
        raise Finding(
            f"{quality['metric']} is {quality['value']}, the threshold {quality['threshold']}."
        )
