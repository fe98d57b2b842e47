"""The networks: DNW's wirings and the baselines they are compared with, built by name.

Importing this package does not import torch; `build_model` does.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, cast

from micronet.errors import MicronetError
from micronet.models.architectures import ARCHITECTURES, Architecture, InputSpec, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

__all__ = ["ARCHITECTURES", "InputSpec", "build_model", "default_input"]


def build_model(architecture: str, config: Mapping[str, object]) -> nn.Module:
    """A fresh model; ``config`` may leave out what has a default.

    Deterministic under ``torch.manual_seed``. Under ``torch.device("meta")`` no memory is
    allocated, and sparse architectures come out unpruned, to be filled from a checkpoint.
    """
    found = _find(architecture)
    settings = found.complete(architecture, config)
    module, _, name = found.builder.partition(":")
    builder = cast("Callable[..., nn.Module]", getattr(import_module(module), name))
    return builder(**settings)


def default_input(architecture: str, config: Mapping[str, object]) -> InputSpec:
    """The input that published counts of this architecture assume, with a batch of one."""
    found = _find(architecture)
    size = found.complete(architecture, config).get("image_size")
    if size is None:
        return found.input
    return replace(found.input, shape=(1, 3, int(size), int(size)))


def _find(name: str) -> Architecture:
    if name not in ARCHITECTURES:
        raise MicronetError(f"Unknown architecture '{name}'.", suggestion(name, ARCHITECTURES))
    return ARCHITECTURES[name]
