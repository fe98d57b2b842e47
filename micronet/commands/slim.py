"""``micronet slim``: remove what cannot change the output, prove it, write the smaller file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from micronet.commands import console, numbers
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import RenderableType

    from micronet.slimming.slim import Outcome

_SHOWN = 3


def run(
    target: str | None,
    *,
    out: Path,
    model: str | None,
    data: Path | None,
    weights: Path | None = None,
) -> int:
    """Slim the target into ``out`` and say what went, what stayed, and how it was proved."""
    if target is None and model is None and weights is None:
        raise MicronetError(
            "Nothing to slim: neither a target nor --model.",
            "See: micronet list, then micronet slim NAME --out PATH",
        )
    from micronet.checkpoints.target import load_target
    from micronet.slimming.slim import slim_target

    loaded = load_target(target, model=model, weights=weights)
    outcome = slim_target(loaded, out, model=model, data=data)
    console.write(slim_view(outcome))
    return 0


def slim_view(outcome: Outcome) -> Iterator[RenderableType]:
    """File, what was removed and folded, the proof's figures, the bill."""
    before = outcome.size_before_bytes
    was = "" if before is None else f", was {numbers.file_size(before)}"
    yield Text(f"{outcome.path}  {numbers.file_size(outcome.size_bytes)}{was}")
    yield Text(f"sha256 {outcome.sha256}")
    yield ""
    table = console.plain_table("")
    table.show_header, table.box = False, None
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in (*_changes(outcome), *_proof(outcome), _bill(outcome)):
        table.add_row(name, fact)
    yield table


def _changes(outcome: Outcome) -> Iterator[tuple[str, str]]:
    plan, active = outcome.plan, outcome.before.active
    dead = f"{numbers.count(active - outcome.after.active)} of {numbers.count(active)} edges"
    yield "removed", f"{dead}: nothing feeds them, or nothing reads them"
    kept = outcome.after.active - outcome.after.live
    if kept:
        yield "", f"{numbers.count(kept)} dead edges stay: forward computes their weights"
    yield "folded", f"{_many(len(plan.folds), 'batch norm')} into the layers before them"
    for left in plan.left[:_SHOWN]:
        yield "left", f"{left.norm}: {left.reason}"
    if len(plan.left) > _SHOWN:
        yield "", f"and {_many(len(plan.left) - _SHOWN, 'norm')} more"
    absent = (
        f"{_many(len(outcome.absent), 'tensor')} ({numbers.count(outcome.absent_numbers)} numbers)"
    )
    yield "left out", f"{absent}, zero or never read"


def _proof(outcome: Outcome) -> Iterator[tuple[str, str]]:
    from micronet.slimming.prove import FLOAT32_TOLERANCE, FLOAT64_TOLERANCE

    proof = outcome.proof
    images = f" and {_many(proof.images, 'image')}" if proof.images else ""
    yield "proved", f"on {proof.random_inputs} random inputs{images}, against the original"
    yield "", "without dead edges, in float64: the same outputs, bit for bit"
    steps = (
        ("batch norms folded, in float64", proof.folds_difference, FLOAT64_TOLERANCE),
        ("the file read back, in float32", proof.file_difference, FLOAT32_TOLERANCE),
    )
    for step, difference, allowed in steps:
        if difference is not None:
            share = f"{difference:.2g} of the largest output ({allowed:g} allowed)"
            yield "", f"{step}: within {share}"
    shape = numbers.shape(outcome.input_shape)
    yield "", f"for inputs of {shape}; at another size other edges may be alive"


def _many(number: int, what: str) -> str:
    return f"{numbers.count(number)} {what}{'s' * (number != 1)}"


def _bill(outcome: Outcome) -> tuple[str, str]:
    now = outcome.after
    kinds = ("multiplications", "additions", "other")
    counts = ", ".join(f"{numbers.count(now.total(kind))} {kind}" for kind in kinds)
    bits = numbers.count(sum(now.storage_bits.values()))
    same = (now.operations, now.storage_bits) == (
        outcome.before.operations,
        outcome.before.storage_bits,
    )
    verdict = "as the original is scored for, operator by operator" if same else "less than before"
    return "costs", f"{counts}, {bits} bits: {verdict}"
