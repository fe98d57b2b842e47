"""From a file of weights to a model that can be judged."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from micronet.checkpoints import pt2
from micronet.checkpoints.builder_settings import checked, remarks, settings_of
from micronet.checkpoints.carded import model_of_card
from micronet.checkpoints.digest import check_pin, sha256_of
from micronet.checkpoints.factory import Factory, factory_of, image_input
from micronet.checkpoints.filling import filled
from micronet.checkpoints.formats import StateFile, read_state_file
from micronet.checkpoints.loaded import LoadedTarget, Weights
from micronet.checkpoints.published import TORCHVISION, entry_of
from micronet.checkpoints.recognise import Recognised, dnw_family, torchvision_guess
from micronet.checkpoints.released import selected
from micronet.checkpoints.slimmed import slim_of
from micronet.checkpoints.statedict import AVERAGED
from micronet.checkpoints.whereabouts import card_of
from micronet.errors import MicronetError
from micronet.models import InputSpec, build_model, default_input

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from micronet.checkpoints.card import Card


def file_in(path: Path, factory: Factory) -> LoadedTarget:
    """The weights of ``path`` in the architecture that the user named."""
    state = read_state_file(path)
    sha256, name, settings = sha256_of(path), factory.name, {}
    if name.startswith(TORCHVISION):
        settings = _settings(name, state, sha256)
        factory = factory_of(name, settings)
    slim = slim_of(state.meta, str(path))
    model = filled(
        slim.around(factory.build),
        state.tensors,
        what=str(path),
        name=name,
        real=factory.runs_user_code,
        absent=slim.absent,
    )
    published = entry_of(name, sha256) is not None
    return LoadedTarget(
        name=path.name,
        path=path,
        sha256=sha256,
        architecture=name,
        config=settings,
        weights="trained" if published else _declared(state),
        model=model,
        inputs=image_input(model, name, sha256),
        card=None,
        notes=_notes(factory.note, *remarks(name, settings, sha256), *_state_notes(state)),
    )


def _settings(name: str, state: StateFile, sha256: str) -> dict[str, Any]:
    """The keywords for torchvision's builder: what a native file notes, or what the tensors say."""
    if state.format == "micronet" and state.meta["architecture"] == name:
        return checked(name, state.meta["config"])
    return settings_of(name, state.tensors, sha256)


def card_file(path: Path, known: Card, note: str | None, *, given: bool) -> LoadedTarget:
    """``path`` as the file of ``known``; MicronetError if it is another network's.

    ``note`` says where the file is from; ``given``: the user chose it, so its place proves nothing.
    """
    state = read_state_file(path)
    sha256 = sha256_of(path)
    check_pin(path, sha256)
    model, config, notes = model_of_card(path, state, known)
    pins = {source.sha256 for source in known.sources if source.sha256}
    weights = _declared(state)
    if sha256 in pins or (known.weights == "released" and not pins and not given):
        weights = "trained" if weights == "unknown" else weights
    return LoadedTarget(
        name=known.name,
        path=path,
        sha256=sha256,
        architecture=known.architecture,
        config=config,
        weights=weights,
        model=model,
        inputs=default_input(known.architecture, config),
        card=known,
        notes=_notes(note, *_state_notes(state), *notes),
    )


def file_alone(path: Path, *, trust: bool) -> LoadedTarget:
    """``path`` in the architecture that it names, or that its name or its tensors tell."""
    state = read_state_file(path)
    sha256 = sha256_of(path)
    check_pin(path, sha256)
    known = card_of(path, sha256)
    blank = LoadedTarget(
        name=path.name,
        path=path,
        sha256=sha256,
        architecture="",
        config={},
        weights=_declared(state),
        model=nn.Identity(),
        inputs=InputSpec((1,)),
        card=None,
        notes=_state_notes(state),
    )
    if state.format == "pt2":
        return _program(path, blank, state, trust=trust)
    if state.format == "micronet":
        return _native(blank, state, known)
    found = dnw_family(state.tensors)
    if known is not None and (found is None or found.architecture == known.architecture):
        return card_file(path, known, None, given=False)
    if found is None:
        raise _unknown(path, state)
    return _recognised(path, blank, state, found)


def _unknown(path: Path, state: StateFile) -> MicronetError:
    guess = torchvision_guess(state.tensors)
    looks = f"This looks like {guess}: " if guess else ""
    return MicronetError(
        f"{path}: holds {len(state.tensors)} tensors, but not their architecture.",
        f"{looks}--model {guess or 'torchvision:NAME | package.module:factory'}",
    )


def _program(path: Path, blank: LoadedTarget, state: StateFile, *, trust: bool) -> LoadedTarget:
    model = pt2.load_program(path, trust=trust)
    found = state.meta.get("input") or {"shape": (1, 3, 224, 224), "dtype": "float32"}
    dtype: Literal["int64", "float32"] = "int64" if found["dtype"] == "int64" else "float32"
    return replace(
        blank,
        architecture="torch.export",
        model=model,
        inputs=InputSpec(tuple(found["shape"]), dtype),
        notes=(*blank.notes, "torch.export.load executed parts of this archive, as you allowed"),
    )


def _native(blank: LoadedTarget, state: StateFile, known: Card | None) -> LoadedTarget:
    name, config = state.meta["architecture"], state.meta["config"]
    what = str(blank.path)
    slim = slim_of(state.meta, what)
    of_torchvision = name.startswith(TORCHVISION)
    if ":" in name and not of_torchvision:  # code runs when the user says so, never for a file
        raise MicronetError(
            f"{what}: Unknown architecture '{name}': that is code, and no file can have it run.",
            "If it is your own: --model package.module:factory or file.py:factory",
        )
    build: Callable[[], nn.Module] = partial(build_model, name, config)
    if of_torchvision:
        build = factory_of(name, checked(name, config)).build
    model = filled(slim.around(build), state.tensors, what=what, name=name, absent=slim.absent)
    inputs = image_input(model, name) if of_torchvision else default_input(name, config)
    return replace(
        blank,
        architecture=name,
        config=config,
        model=model,
        inputs=inputs,
        **_carded(known, name, blank.name),
    )


def _recognised(
    path: Path, blank: LoadedTarget, state: StateFile, found: Recognised
) -> LoadedTarget:
    tensors, config, note = selected(path, found, state.tensors, None)
    name = found.architecture
    model = filled(partial(build_model, name, config), tensors, what=str(path), name=name)
    inputs, notes = default_input(name, config), (*blank.notes, note)
    return replace(blank, architecture=name, config=config, model=model, inputs=inputs, notes=notes)


def _carded(known: Card | None, architecture: str, name: str) -> dict[str, Any]:
    """A file named as a card of the same architecture is that card's."""
    if known is None or known.architecture != architecture:
        return {"card": None, "name": name}
    return {"card": known, "name": known.name}


def _declared(state: StateFile) -> Weights:
    provenance = state.meta.get("provenance")
    said = provenance.get("weights") if isinstance(provenance, dict) else None
    return "trained" if said == "trained" else "untrained" if said == "untrained" else "unknown"


def _notes(*notes: str | None) -> tuple[str, ...]:
    return tuple(note for note in notes if note)


def _state_notes(state: StateFile) -> tuple[str, ...]:
    """Which of several weights were taken, and if some are stored in few bits."""
    taken = state.meta.get("taken")
    types = {tensor.dtype for tensor in state.tensors.values() if tensor.is_floating_point()}
    narrow = sorted(
        str(dtype).removeprefix("torch.")
        for dtype in types
        if dtype.itemsize < torch.float32.itemsize
    )
    return _notes(
        f"the file's averaged weights ({taken}) were taken" if taken in AVERAGED else None,
        f"some weights are stored as {', '.join(narrow)}" if narrow else None,
    )
