"""A recording of a run: what its wiring was after every epoch. `recording_file` has the format."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from micronet.checkpoints.atomic import write_bytes
from micronet.errors import MicronetError
from micronet.training.recording_edges import MOST_ENTRIES, Change, Kept, coded, planes
from micronet.training.recording_file import (
    BY_SNAPSHOT,
    HEADER,
    MOST_FILE_BYTES,
    REAL,
    WHOLE,
    Header,
    Weight,
    column_shape,
    member_name,
    read_recording,
)
from micronet.training.recording_members import Piece, packed, zipped
from micronet.training.wires import kept_now, watch_wires

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from micronet.training.gates import Gated, Gates
    from micronet.training.job import Epoch


class Recorder:
    """Notes the wiring of ``gates`` when it is told to, and nothing of the network is changed.

    ``card`` and ``seed`` say of which run it is. What was noted is packed at once.
    """

    def __init__(self, gates: Gates, card: str, seed: int) -> None:
        self.header = _header(gates, card, seed)
        self._rows: list[dict[str, Any]] = []
        self._kept = Kept.none()
        self._pieces: list[Piece] = []

    def __len__(self) -> int:
        return len(self._rows)

    @classmethod
    def resumed(cls, path: Path, gates: Gates, card: str, seed: int, step: int) -> Self:
        """What ``path`` noted up to ``step``; MicronetError if it is of another run, or broken."""
        if not path.exists():
            raise MicronetError(
                f"{path}: is missing, and a recording begins with the run.",
                "Go on without --record, or begin anew with another --out.",
            )
        recorder = cls(gates, card, seed)
        recording = read_recording(path)
        found, expected = recording.header, recorder.header
        if found != expected:
            raise MicronetError(
                f"{path}: records another run: found {_named(found)}, expected {_named(expected)}.",
                "Use another --out, or go on without --record.",
            )
        columns = recording.columns
        for number, change in enumerate(recording.changes()):
            if columns["step"][number] > step:
                break
            recorder._append({name: columns[name][number] for name in (*WHOLE, *REAL)}, change)
        return recorder

    def note(self, gates: Gates, epoch: Epoch | None, step: int) -> None:
        """Take a snapshot after ``step`` steps: what ``epoch`` came to, or (None) how a run begins.

        MicronetError if a weight is no number.
        """
        if self._rows and step <= self._rows[-1]["step"]:
            raise ValueError(f"a snapshot of step {step} after that of {self._rows[-1]['step']}")
        masks = kept_now(gates)
        wires = watch_wires(gates, masks)
        places = np.flatnonzero(np.concatenate([mask.cpu().numpy().ravel() for mask in masks]))
        codes, largest = self._coded(gates, places, step)
        figures = {
            "alive": wires.alive,
            "nodes": wires.targets,
            "thresholds": [math.nan if each is None else each for each in wires.thresholds],
            "largest": largest,
        }
        change = self._kept.change_to(Kept(places, codes))
        self._append({**_figures(epoch, step), **figures}, change)

    def _coded(
        self, gates: Gates, places: NDArray[np.int64], step: int
    ) -> tuple[NDArray[np.uint8], list[float]]:
        """The code of each kept value, and the largest magnitude of each weight."""
        codes, largest = [], []
        starts = self.header.starts
        ends = np.searchsorted(places, starts)
        for i, member in enumerate(gates):
            values = _values(member, places[ends[i] : ends[i + 1]] - starts[i])
            if not np.isfinite(values).all():
                raise MicronetError(
                    f"{member.name}: not every weight is a finite number after step {step}.",
                    "Lower the learning rate.",
                )
            code, most = coded(values)
            codes.append(code)
            largest.append(most)
        return np.concatenate(codes), largest

    def _append(self, row: dict[str, Any], change: Change) -> None:
        self._kept = self._kept.after(change)
        arrays = (planes(change.entered), planes(change.left), change.codes, change.moves)
        for kind, array in zip(BY_SNAPSHOT, arrays, strict=True):
            self._pieces.append(packed(member_name(kind, len(self)), array))
        self._rows.append(row)
        if sum(len(piece.deflated) for piece in self._pieces) > MOST_FILE_BYTES:
            raise MicronetError(
                f"The recording of {self.header.card} has more than {MOST_FILE_BYTES:,} bytes.",
                "Go on without --record.",
            )

    def to_bytes(self) -> bytes:
        """The file; the same for the same run, also when it was stopped and resumed."""
        columns = {HEADER: self.header.encoded()}
        columns |= {name: self._column(name, "<i8") for name in WHOLE}
        columns |= {name: self._column(name, "<f8") for name in REAL}
        return zipped([*(packed(name, column) for name, column in columns.items()), *self._pieces])

    def _column(self, name: str, dtype: str) -> NDArray[Any]:
        shape = column_shape(self.header, name, len(self))
        return np.array([row[name] for row in self._rows], dtype).reshape(shape)

    def write(self, path: Path) -> None:
        """Write the file in one step: whoever looks sees the one before or this one."""
        write_bytes(path, self.to_bytes())


def _header(gates: Gates, card: str, seed: int) -> Header:
    weights = tuple(
        Weight(member.name, tuple(member.weight.shape), number)
        for number, group in enumerate(gates.groups)
        for member in group.members
    )
    header = Header(card, seed, weights)
    if header.starts[-1] > MOST_ENTRIES:
        raise MicronetError(
            f"{card} has {header.starts[-1]:,} weights to record, at most {MOST_ENTRIES:,}.",
            "Leave --record off.",
        )
    return header


@torch.no_grad()
def _values(member: Gated, indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """The weight as the network uses it, at these flat indices."""
    used = member.used.flatten()
    chosen: NDArray[np.float64] = (
        used[torch.from_numpy(indices).to(used.device)].double().cpu().numpy()
    )
    return chosen


def _figures(epoch: Epoch | None, step: int) -> dict[str, Any]:
    if epoch is None:
        nothing = ("train_right", "train_images", "test_right", "test_images")
        return {"step": step, "epoch": 0, "loss": math.nan, **dict.fromkeys(nothing, -1)}
    return {
        "step": step,
        "epoch": epoch.epoch,
        "loss": epoch.loss,
        "train_right": epoch.right,
        "train_images": epoch.images,
        "test_right": -1 if epoch.test_right is None else epoch.test_right,
        "test_images": -1 if epoch.test_images is None else epoch.test_images,
    }


def _named(header: Header) -> str:
    return f"{header.card[:60]}, seed {header.seed}, {header.starts[-1]:,} weights"
