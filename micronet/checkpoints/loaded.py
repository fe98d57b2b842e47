"""A model that is ready to be judged, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

    from micronet.checkpoints.card import Card
    from micronet.models import InputSpec

Weights = Literal["trained", "untrained", "unknown"]


@dataclass(frozen=True)
class LoadedTarget:
    """A model in eval mode, where it came from, and the input it is judged with.

    ``path`` and ``sha256`` are None where no file was read. ``model`` may have weights without
    memory (on torch's meta device) if nothing is known of them but their shapes.
    """

    name: str
    path: Path | None
    sha256: str | None
    architecture: str
    config: Mapping[str, Any]
    weights: Weights
    model: nn.Module
    inputs: InputSpec
    card: Card | None
    notes: tuple[str, ...]
