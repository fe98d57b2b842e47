"""The trained wiring as a checkpoint: its edges, and all that is known of how they came to be."""

from __future__ import annotations

import platform
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import torch

import micronet
from micronet.checkpoints.native import Checkpoint, write_native
from micronet.training.network import stored, stored_plainly

if TYPE_CHECKING:
    from pathlib import Path

    from micronet.training.job import Job
    from micronet.training.loop import Trainer


def write_wiring(path: Path, trainer: Trainer, card: str) -> None:
    """Write what ``trainer`` has learned to ``path`` as a native checkpoint."""
    job = trainer.job
    provenance = {
        "weights": "trained",
        "card": card,
        "made_by": "micronet train",
        "recipe": job.recipe.document(),
        "seed": job.seed,
        "data": facts_of_data(job),
        "versions": versions(),
        "history": history_of(trainer),
    }
    with trainer.average.in_place():
        tensors = stored(trainer.model)
    config = {**job.config, **stored_plainly(job.architecture)}
    write_native(path, Checkpoint(job.architecture, config, tensors, provenance))


def facts_of_data(job: Job) -> dict[str, Any]:
    """Which images were learned from, and which the accuracy on the way was measured on."""
    facts = {"train": job.train.fingerprint, "train_images": job.train.count}
    if job.test is not None:
        facts |= {"test": job.test.fingerprint, "test_images": job.test.count}
    return facts


def versions() -> dict[str, str]:
    """Of everything that the bits of a run may depend on."""
    return {
        "micronet": micronet.__version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def history_of(trainer: Trainer) -> list[dict[str, Any]]:
    """Every epoch as plain values; seconds are left out: the same run gives the same bytes."""
    rows = []
    for epoch in trainer.history:
        row = asdict(epoch)
        wires = row.pop("wires")
        del row["seconds"]
        rows.append({**row, **wires, "thresholds": list(wires["thresholds"])})
    return rows
