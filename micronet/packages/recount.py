"""Count a packaged checkpoint anew, from nothing but its tensors and the rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from micronet.checkpoints.formats import read_state_file
from micronet.checkpoints.target import load_target
from micronet.errors import MicronetError
from micronet.evaluation.state_digest import state_sha256
from micronet.scoring import score_target

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from micronet.checkpoints.loaded import LoadedTarget
    from micronet.packages.statement import Statement

# What a score says beside the count: published figures, which may be other ones next year.
_BESIDE = ("reference", "claims", "second_opinion")


@dataclass(frozen=True)
class Recount:
    """A packaged network, its ``micronet.score/1`` document, and the sha256 of its state.

    ``config`` is what the checkpoint says of its architecture.
    """

    loaded: LoadedTarget
    document: dict[str, Any]
    config: Mapping[str, Any]
    state_sha256: str | None


def recount(path: Path, statement: Statement, *, model: str | None = None) -> Recount:
    """Count the checkpoint at ``path`` as ``statement`` says (track, rules, input).

    ``model`` is the factory to run for a network that no registry knows; without it none is run.
    Raises MicronetError if the file is no native checkpoint or cannot be judged.
    """
    meta = native_meta(path)
    loaded = load_target(
        None if model else str(path),
        model=model,
        weights=path if model else None,
        input_shape=statement.input,
    )
    loaded = replace(
        loaded,
        name=statement.name,
        card=None,
        architecture=meta["architecture"],
        notes=tuple(note for note in loaded.notes if model is None or model not in note),
    )
    document = score_target(loaded, rules=statement.rules, track=statement.track)
    if document["score"] is None:
        raise MicronetError(
            f"The rule book '{statement.rules}' has no score.",
            "Package by the challenge's: --rules micronet2019",
        )
    for key in _BESIDE:
        document.pop(key, None)
    return Recount(loaded, document, meta["config"], state_sha256(loaded.model))


def native_meta(path: Path) -> Mapping[str, Any]:
    """What a native checkpoint says beside its tensors; MicronetError if it is none."""
    state = read_state_file(path)
    if state.format != "micronet":
        raise MicronetError(f"{path}: is no checkpoint of micronet's own format.")
    return state.meta
