"""Curves of a run for TensorBoard (extra ``tensorboard``): a point an epoch.

The step of a point is its epoch. Tags: ``loss`` (mean of the training images), ``accuracy/train``
and ``accuracy/test`` (shares), ``learning_rate``, ``images_per_second``, ``alive_nodes``,
``edges_swapped`` (the share of the edges that were not there an epoch before), and of each group
``threshold/0``, … (the smallest magnitude that it keeps).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch.utils.tensorboard import SummaryWriter

    from micronet.training.job import Epoch


class TensorBoard:
    """Writes event files to ``folder``, one a start of the run. MicronetError without tensorboard.

    The first epoch that is told hides what earlier starts wrote of it and of later ones, so that no
    epoch is there twice, however often a run is stopped and resumed.
    """

    def __init__(self, folder: Path) -> None:
        self._writers = _writers()
        self._folder = folder
        self._writer: SummaryWriter | None = None

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MicronetError(f"{self._folder}: cannot be made: {error.strerror}.") from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def epoch(self, epoch: Epoch) -> None:
        """Write what ``epoch`` came to; it is on disk when this returns."""
        if self._writer is None:
            self._writer = self._writers(str(self._folder), purge_step=epoch.epoch)
        for tag, value in _points(epoch):
            self._writer.add_scalar(tag, value, epoch.epoch)
        self._writer.flush()


def _points(epoch: Epoch) -> Iterator[tuple[str, float]]:
    wires = epoch.wires
    yield "loss", epoch.loss
    yield "accuracy/train", epoch.right / epoch.images
    if epoch.test_right is not None and epoch.test_images:
        yield "accuracy/test", epoch.test_right / epoch.test_images
    yield "learning_rate", epoch.learning_rate
    yield "images_per_second", epoch.images / epoch.seconds
    yield "alive_nodes", wires.alive
    if wires.kept:
        yield "edges_swapped", wires.entered / wires.kept
    for group, threshold in enumerate(wires.thresholds):
        if threshold is not None:  # edges are held: no threshold keeps them
            yield f"threshold/{group}", threshold


def _writers() -> type[SummaryWriter]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MicronetError(
            "TensorBoard's files need tensorboard, which is not installed.",
            "pip install 'micronet-wirings[tensorboard]'",
        ) from error
    return SummaryWriter
