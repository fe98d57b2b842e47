"""The folder of a run: where its state, its log and its wiring lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """``path`` holds the run's state until it is over, its log, and the wiring that came out."""

    path: Path
    name: str

    @property
    def state(self) -> Path:
        """From which a stopped run goes on."""
        return self.path / "run.pt"

    @property
    def log(self) -> Path:
        """A line an epoch."""
        return self.path / "log.csv"

    @property
    def recording(self) -> Path:
        """The wiring of every epoch, if it was asked for."""
        return self.path / "recording.npz"

    @property
    def receipt(self) -> Path:
        """What was trained, how, on what, to what end."""
        return self.path / f"{self.name}.training.json"

    @property
    def wiring(self) -> Path:
        """The trained wiring, micronet's own format."""
        return self.path / f"{self.name}.pt"
