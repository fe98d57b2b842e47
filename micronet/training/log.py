"""The log of a run as CSV, a line an epoch, written anew whenever an epoch ends.

``loss`` is the mean over the training images, ``images_per_second`` of training alone. ``edges``
are kept, of which so many entered since the epoch before, while others left. ``alive_nodes`` are
reached by an edge, of ``nodes`` that may be. ``threshold`` is the smallest kept magnitude, of
several groups with spaces between. Cells are empty where nothing was evaluated, or where edges
are held and no threshold keeps them.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from micronet.checkpoints.atomic import write_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from micronet.training.job import Epoch

COLUMNS: Final = (
    *("epoch", "step", "learning_rate", "loss", "train_right", "train_images", "test_right"),
    *("test_images", "images_per_second", "edges", "edges_entered", "edges_left", "alive_nodes"),
    *("nodes", "threshold"),
)


def write_log(path: Path, history: Sequence[Epoch]) -> None:
    """Write the whole ``history`` to ``path`` in one step."""
    page = io.StringIO(newline="")
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_row(epoch) for epoch in history)
    write_bytes(path, page.getvalue().encode())


def _row(epoch: Epoch) -> tuple[object, ...]:
    wires = epoch.wires
    return (
        *(epoch.epoch, epoch.step, f"{epoch.learning_rate:.8g}", f"{epoch.loss:.8g}"),
        *(epoch.right, epoch.images, epoch.test_right, epoch.test_images),
        *(f"{epoch.images / epoch.seconds:.1f}", wires.kept, wires.entered, wires.left),
        *(wires.alive, wires.targets, _shown(wires.thresholds)),
    )


def _shown(thresholds: Sequence[float | None]) -> str:
    return " ".join("" if each is None else f"{each:.8g}" for each in thresholds).strip()
