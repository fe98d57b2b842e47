"""``--model``: an architecture from torchvision, from an importable module or from a file.

The last two run the user's code, which is what the user asked for; nothing here is ever taken
from a checkpoint.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from micronet.checkpoints.published import TORCHVISION, crop_pixels, entries, entry_of
from micronet.errors import MicronetError
from micronet.models import InputSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEFAULT_PIXELS: Final = 224


@dataclass(frozen=True)
class Factory:
    """How to make the architecture called ``name``; ``note`` is for the user, if there is one."""

    name: str
    build: Callable[[], nn.Module]
    runs_user_code: bool
    note: str | None = None


def factory_of(spec: str, settings: Mapping[str, Any] | None = None) -> Factory:
    """The factory that ``spec`` names; MicronetError suggests what is near.

    ``settings`` are further keywords for torchvision's builder (``builder_settings``).
    """
    if spec.startswith(TORCHVISION):
        build = _torchvision(spec.removeprefix(TORCHVISION), settings or {})
        return Factory(spec, build, runs_user_code=False)
    place, _, name = spec.rpartition(":")
    if not place or not name:
        raise MicronetError(
            f"--model {spec}: expected torchvision:NAME, package.module:factory or file.py:factory."
        )
    return Factory(
        spec,
        lambda: _users_model(spec, place, name),
        runs_user_code=True,
        note=f"the architecture came from running your code, {spec}",
    )


def image_input(model: nn.Module, spec: str, sha256: str | None = None) -> InputSpec:
    """The input torchvision evaluates this architecture with; 224 pixels where it says nothing.

    ``sha256`` is that of the weights' file: published weights may have an input of their own.
    """
    size = getattr(model, "image_size", None)
    if not isinstance(size, int):
        first = entry_of(spec, sha256) or next(iter(entries(spec)), None)
        size = None if first is None else crop_pixels(first)
    pixels = size if isinstance(size, int) else DEFAULT_PIXELS
    return InputSpec((1, 3, pixels, pixels))


def _torchvision(name: str, further: Mapping[str, Any]) -> Callable[[], nn.Module]:
    from torchvision import models

    known = models.list_models()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"Did you mean {', '.join(near)}?" if near else f"It has {len(known)} models."
        raise MicronetError(f"torchvision has no model '{name}'.", hint)
    taken = inspect.signature(models.get_model_builder(name)).parameters
    settings: dict[str, Any] = {k: None for k in ("weights", "weights_backbone") if k in taken}
    settings |= further

    def build() -> nn.Module:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on initialisations that weights replace
            model: nn.Module = models.get_model(name, **settings)
        return model

    return build


def _users_model(spec: str, place: str, name: str) -> nn.Module:
    try:
        found = getattr(_module(spec, place), name)
        model = found if isinstance(found, nn.Module) else found()
    except MicronetError:
        raise
    except Exception as error:  # the user's code may raise anything
        raise MicronetError(
            f"--model {spec}: your code raised {type(error).__name__}: {error}"
        ) from error
    if not isinstance(model, nn.Module):
        raise MicronetError(
            f"--model {spec}: gave a {type(model).__name__}, expected a torch.nn.Module."
        )
    return model


def _module(spec: str, place: str) -> Any:
    if not place.endswith(".py"):
        return importlib.import_module(place)
    path = Path(place)
    if not path.is_file():
        raise MicronetError(f"--model {spec}: there is no file {place}.")
    described = importlib.util.spec_from_file_location(path.stem, path)
    if described is None or described.loader is None:
        raise MicronetError(f"--model {spec}: {place} is not a Python file.")
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    return module


def on_meta(build: Callable[[], nn.Module]) -> nn.Module | None:
    """The model without memory for its weights, or None if it cannot be built that way."""
    try:
        with torch.device("meta"):
            return build()
    except (RuntimeError, NotImplementedError, TypeError, ValueError):
        return None
