"""Build a card's wiring, seeded and untrained, and write it as a native checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from micronet.checkpoints.digest import lock_of
from micronet.checkpoints.folder import checkpoint_path, shipped_path
from micronet.checkpoints.native import Checkpoint, write_native
from micronet.errors import MicronetError
from micronet.models import build_model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from micronet.checkpoints.card import Card

DEFAULT_SEED: Final = 2019


def seeded_model(architecture: str, config: Mapping[str, Any], seed: int) -> nn.Module:
    """A fresh model in eval mode, the same for the same seed; torch's generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_model(architecture, config).eval()


def build_checkpoint(card: Card, out: Path | None, *, seed: int | None = None) -> Path:
    """Write the card's wiring with untrained weights to ``out`` (default: its place on the shelf).

    ``seed`` defaults to DEFAULT_SEED and is noted in the file's provenance. MicronetError where
    weights are that were fetched, or that came with micronet.
    """
    path = checkpoint_path(card.name) if out is None else out
    _check_replaces_no_weights(card, path, chosen=out is not None)
    number = DEFAULT_SEED if seed is None else seed
    model = seeded_model(card.architecture, card.config, number)
    provenance = {
        "weights": "untrained",
        "card": card.name,
        "seed": number,
        "made_by": "micronet build",
        "torch": str(torch.__version__),
    }
    write_native(path, Checkpoint(card.architecture, card.config, tensors_of(model), provenance))
    return path


def _check_replaces_no_weights(card: Card, path: Path, *, chosen: bool) -> None:
    """MicronetError if ``path``, which the user has ``chosen`` or not, stands for better weights."""
    shipped = shipped_path(card.name)
    if card.weights == "trained" and not (chosen and path.resolve() != shipped.resolve()):
        holds = f"{shipped}: holds trained weights"
    elif not chosen and lock_of(path).is_file():
        holds = f"{path}: holds fetched weights"
    else:
        return
    raise MicronetError(
        f"{holds}, an untrained wiring will not replace them.",
        f"Write it elsewhere: micronet build {card.name} --out PATH",
    )


def tensors_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """The model's state, with edges that a fixed mask switches off stored as the zeros they are."""
    state = dict(model.state_dict())
    for name in [name for name in state if name.endswith("graph.mask")]:
        weight = f"{name.removesuffix('mask')}weight"
        state[weight] = state[weight] * state[name]
    return state
