"""``micronet reconcile``: one published number by hand, and the dialect that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from micronet.commands import console, machine
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Request:
    """One ``micronet reconcile`` command line; the fields are its options."""

    number: str
    target: str | None = None
    model: str | None = None
    weights: Path | None = None
    quantity: str | None = None
    input_shape: str | None = None
    track: str | None = None
    threads: int | None = None
    json: bool = False


def run(request: Request) -> int:
    """Say what the number is; 1 if no way of counting gives it."""
    from micronet.scoring.printed import printed

    stated = printed(request.number)
    if not stated.number:
        raise MicronetError(
            f"'{request.number}' does not say how it was counted.", "Give a number above 0."
        )
    if request.target is None and request.model is None and request.weights is None:
        raise MicronetError(
            "There is no network to count.", "Name a target, or --model ARCHITECTURE."
        )
    shape = machine.input_shape(request.input_shape)
    machine.prepare("cpu", request.threads)
    from micronet.audit.gather import gather
    from micronet.audit.reconciled import reconcile
    from micronet.checkpoints.target import load_target

    loaded = load_target(
        request.target, model=request.model, weights=request.weights, input_shape=shape
    )
    evidence = gather(loaded, track=request.track)
    found = reconcile(request.number, stated, evidence, request.quantity)
    if request.json:
        console.write_json(found.document())
    else:
        from micronet.commands.render_reconcile import reconcile_view

        console.write(reconcile_view(found))
    return 0 if found.found else 1
