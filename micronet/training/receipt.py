"""The receipt of a training, ``micronet.training/1``: what was trained, how, on what, to what end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.digest import sha256_of
from micronet.training.export import facts_of_data, history_of, versions

if TYPE_CHECKING:
    from pathlib import Path

    from micronet.training.loop import Trainer

SCHEMA: Final = "micronet.training/1"


def training_document(trainer: Trainer, card: str, wiring: Path) -> dict[str, Any]:
    """The facts of a run that is over; ``wiring`` is the file that it has written.

    ``test_right`` of ``test_images`` is what the loop measured after the last epoch; no epoch was
    chosen by it. Seconds are left out, so that the same run has the same receipt.
    """
    job, last = trainer.job, trainer.history[-1]
    return {
        "schema": SCHEMA,
        "card": card,
        "architecture": job.architecture,
        "method": job.recipe.method,
        "recipe": job.recipe.document(),
        "recipe_digest": job.recipe.digest,
        "seed": job.seed,
        "data": facts_of_data(job),
        "epochs": last.epoch,
        "steps": last.step,
        "edges": last.wires.kept,
        "train_right": last.right,
        "train_images": last.images,
        "test_right": last.test_right,
        "test_images": last.test_images,
        "wiring": {"file": wiring.name, "sha256": sha256_of(wiring)},
        "versions": versions(),
        "history": history_of(trainer),
    }
