"""A run on disk: everything that decides its next step, written in one piece, read without running it."""

from __future__ import annotations

import io
import pickle
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

import torch

from micronet.checkpoints.atomic import write_bytes
from micronet.errors import MicronetError
from micronet.training.job import Epoch, Tally
from micronet.training.wires import Wires

if TYPE_CHECKING:
    from pathlib import Path

    from micronet.training.loop import Trainer

FORMAT: Final = "micronet.run"
VERSION: Final = 1
# torch's reader raises whatever a broken file makes of it.
_BROKEN: Final = (
    *(OSError, EOFError, RuntimeError, ValueError, TypeError, AttributeError, LookupError),
    pickle.UnpicklingError,
)


def write_snapshot(path: Path, trainer: Trainer, identity: str) -> None:
    """Write the run's state to ``path``; ``identity`` says of which run it is."""
    value = {
        "format": FORMAT,
        "version": VERSION,
        "identity": identity,
        "step": trainer.step,
        "model": dict(trainer.model.state_dict()),
        "optimizer": trainer.run.optimizer.state_dict(),
        "memory": dict(trainer.run.memory),
        "average": dict(trainer.average.weights),
        "generator": trainer.run.generator.get_state(),
        "tally": asdict(trainer.tally),
        "history": [_plain(epoch) for epoch in trainer.history],
        "last_kept": trainer.last_kept,
    }
    buffer = io.BytesIO()
    torch.save(value, buffer)
    write_bytes(path, buffer.getbuffer())


def read_snapshot(path: Path, trainer: Trainer, identity: str) -> None:
    """Put ``trainer`` where the run of ``path`` was; MicronetError if it is another run's."""
    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except _BROKEN as error:
        raise MicronetError(
            f"{path}: is not a run that can go on ({type(error).__name__}).",
            "Move it away to start anew, or use another --out.",
        ) from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise MicronetError(f"{path}: is not a micronet run.", "Use another --out.")
    if value.get("version") != VERSION or value.get("identity") != identity:
        raise MicronetError(
            f"{path}: is of another run: found {str(value.get('identity'))[:120]}, expected {identity}.",
            "Use another --out, or move that folder away.",
        )
    trainer.model.load_state_dict(value["model"])
    trainer.run.optimizer.load_state_dict(value["optimizer"])
    trainer.run.memory.clear()
    trainer.run.memory.update(value["memory"])
    trainer.average.weights.update(value["average"])
    trainer.run.generator.set_state(value["generator"])
    trainer.run.now = replace(trainer.run.now, step=value["step"])
    trainer.tally = Tally(**value["tally"])
    trainer.history[:] = [epoch_of(row) for row in value["history"]]
    trainer.last_kept = list(value["last_kept"])


def _plain(epoch: Epoch) -> dict[str, Any]:
    row = asdict(epoch)
    row["wires"]["thresholds"] = list(row["wires"]["thresholds"])
    return row


def epoch_of(row: dict[str, Any]) -> Epoch:
    """An epoch of the history from plain values."""
    wires = {**row["wires"], "thresholds": tuple(row["wires"]["thresholds"])}
    return Epoch(**{**row, "wires": Wires(**wires)})
