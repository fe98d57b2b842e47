"""What a slimmed checkpoint says about its architecture, and how that architecture is made again.

``micronet slim`` notes two things in a native file, as plain values under ``provenance["slim"]``:
``folded``, a map from a layer's name to the batch norm that went into it, and ``absent``, the names
of tensors that were left out because they are zero or inference never reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Slim:
    """``folded``: layer → batch norm, by module name; ``absent``: tensors that load as zeros."""

    folded: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()

    def around(self, build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
        """``build``, followed by the folds."""
        return lambda: fold_structure(build(), self.folded)


def slim_of(meta: Mapping[str, Any], what: str) -> Slim:
    """What a file's ``meta`` says of slimming; MicronetError, naming ``what``, if it is no such thing."""
    provenance = meta.get("provenance")
    said = provenance.get("slim") if isinstance(provenance, Mapping) else None
    if said is None:
        return Slim()
    folded = said.get("folded") if isinstance(said, Mapping) else None
    absent = said.get("absent") if isinstance(said, Mapping) else None
    if not isinstance(folded, Mapping) or not isinstance(absent, list | tuple):
        raise MicronetError(f"{what}: its note on slimming is broken: folded or absent is missing.")
    if not all(isinstance(name, str) for name in (*folded, *folded.values(), *absent)):
        raise MicronetError(f"{what}: its note on slimming is broken: a name is not text.")
    return Slim(dict(folded), tuple(absent))


def fold_structure(model: nn.Module, folded: Mapping[str, str]) -> nn.Module:
    """``model`` itself, each named layer with a bias (zero if it is new) and its norm an identity.

    Weights are not touched. MicronetError if a name is not that of a layer or a batch norm.
    """
    for layer_name, norm_name in folded.items():
        layer, norm = _module(model, layer_name), _module(model, norm_name)
        if not isinstance(layer, _ConvNd | nn.Linear) or not isinstance(norm, _BatchNorm):
            found = f"{type(layer).__name__} and {type(norm).__name__}"
            raise MicronetError(
                f"{norm_name} cannot be folded into {layer_name}: they are {found}, "
                "expected a layer and a batch norm."
            )
        if getattr(layer, "bias", None) is None:
            outputs = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
            like = layer.weight
            layer.bias = nn.Parameter(torch.zeros(outputs, dtype=like.dtype, device=like.device))
        _replace(model, norm)
    return model


def _module(model: nn.Module, name: str) -> nn.Module:
    try:
        return model.get_submodule(name)
    except AttributeError:
        raise MicronetError(
            f"The file was slimmed from a network with a module {name}; this one has none.",
            "Give the architecture it was slimmed with: --model",
        ) from None


def _replace(model: nn.Module, norm: nn.Module) -> None:
    """An identity in every place where ``norm`` is registered."""
    identity = nn.Identity()
    for parent in list(model.modules()):
        for name in [name for name, child in parent.named_children() if child is norm]:
            setattr(parent, name, identity)
