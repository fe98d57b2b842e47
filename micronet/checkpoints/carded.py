"""A file as the weights of a card: it fits the card's architecture and configuration, or is refused."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.filling import filled
from micronet.checkpoints.recognise import dnw_family
from micronet.checkpoints.released import selected
from micronet.checkpoints.slimmed import slim_of
from micronet.errors import MicronetError
from micronet.models import ARCHITECTURES, build_model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

    from micronet.checkpoints.card import Card
    from micronet.checkpoints.formats import StateFile

_SHOWN: Final = 60  # signs of a name out of a file


def model_of_card(
    path: Path, state: StateFile, known: Card
) -> tuple[nn.Module, Mapping[str, Any], tuple[str, ...]]:
    """The card's network with the weights of ``state``, its whole configuration, and notes.

    MicronetError says what ``path`` holds instead, or which tensors do not fit.
    """
    name, tensors, config = known.architecture, dict(state.tensors), known.config
    slim = slim_of(state.meta, str(path))
    notes: tuple[str, ...] = ()
    if state.format == "pt2":
        raise _other(path, "an exported program", known)
    if state.format == "micronet":
        config = state.meta["config"]
        if state.meta["architecture"] != name:
            raise _other(path, repr(state.meta["architecture"])[:_SHOWN], known)
        if different := _difference(name, config, known.config):
            raise _other(path, f"{name} with {different}", known)
    else:
        found = dnw_family(tensors)
        if found is not None and found.architecture != name:
            raise _other(path, found.architecture, known)
        if found is not None:
            tensors, config, note = selected(path, found, tensors, known)
            notes = (note,)
    build = slim.around(partial(build_model, name, config))
    model = filled(build, tensors, what=str(path), name=name, absent=slim.absent)
    return model, config, notes


def _difference(name: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """The settings in which ``found`` is not ``expected``, as "width = 1, density = 0.5"."""
    complete = ARCHITECTURES[name].complete
    theirs, ours = complete(name, found), complete(name, expected)
    return ", ".join(f"{key} = {theirs[key]}" for key in ours if theirs[key] != ours[key])


def _other(path: Path, holds: str, known: Card) -> MicronetError:
    return MicronetError(
        f"{path}: holds {holds}, but the card {known.name} is of {known.architecture}.",
        "Give the file to the card it belongs to; `micronet list` shows all cards.",
    )
