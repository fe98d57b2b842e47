"""From what the user names (a file, a card, an architecture) to a model that can be judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import torch
from torch import nn

from micronet.checkpoints import pt2
from micronet.checkpoints.build import DEFAULT_SEED, seeded_model
from micronet.checkpoints.card import Card, card, cards
from micronet.checkpoints.digest import check_pin, sha256_of
from micronet.checkpoints.factory import TORCHVISION, Factory, factory_of, image_input, on_meta
from micronet.checkpoints.filling import filled
from micronet.checkpoints.folder import checkpoint_path
from micronet.checkpoints.formats import StateFile, read_state_file
from micronet.checkpoints.recognise import dnw_family, torchvision_guess
from micronet.checkpoints.released import selected
from micronet.checkpoints.slimmed import slim_of
from micronet.errors import MicronetError
from micronet.models import InputSpec, build_model, default_input

if TYPE_CHECKING:
    from collections.abc import Mapping

Weights = Literal["trained", "untrained", "unknown"]
SPARSE: Final = frozenset(
    {"mobilenetv1_dnw", "tiny_static", "tiny_discrete", "tiny_continuous", "resnet50_sparse"}
)


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


def load_target(
    target: str | None,
    *,
    model: str | None = None,
    input_shape: tuple[int, ...] | None = None,
    trust: bool = False,
    shapes_only: bool = False,
) -> LoadedTarget:
    """Load ``target`` (a file or a card's name), an architecture ``model``, or one into the other.

    ``input_shape`` replaces the architecture's own. ``trust`` allows torch to execute what a
    torch.export archive holds; nothing else is ever executed from a file.
    """
    loaded = _load(target, model, trust=trust, shapes_only=shapes_only)
    if input_shape is None:
        return loaded
    return replace(loaded, inputs=InputSpec(tuple(input_shape), loaded.inputs.dtype))


def _load(target: str | None, model: str | None, *, trust: bool, shapes_only: bool) -> LoadedTarget:
    factory = None if model is None else factory_of(model)
    if target is None:
        if factory is None:
            raise MicronetError("Nothing to load.", "Name a file, a card or --model ARCHITECTURE.")
        return _architecture_alone(factory, shapes_only=shapes_only)
    if shapes_only:
        raise MicronetError(
            f"--shapes-only counts an architecture without weights, found {target}.",
            "Name it with --model alone.",
        )
    found = _resolved(target)
    if isinstance(found, Card):
        known = found
        if factory is not None:
            raise MicronetError(
                f"{known.name} has no file here to load into {factory.name}.", _how_to_get(known)
            )
        return _built(known)
    if factory is not None:
        return _file_in(found, factory)
    return _file_alone(found, trust=trust)


def _resolved(target: str) -> Path | Card:
    """The file to read, or the card to build since its file is not here."""
    path = Path(target)
    if path.exists():
        return path
    if path.suffix in (".pt", ".pth", ".t7", ".pt2", ".safetensors") or len(path.parts) > 1:
        known = _card_of(path)
        raise MicronetError(
            f"There is no file {target}.", None if known is None else _how_to_get(known)
        )
    known = card(target)
    kept = checkpoint_path(known.name)
    return kept if kept.is_file() else known


def _card_of(path: Path) -> Card | None:
    return next((each for each in cards() if each.name == path.stem), None)


def _how_to_get(known: Card) -> str:
    if known.weights == "released":
        return f"Get it: micronet fetch {known.name}"
    return f"Build it: micronet build {known.name}"


def _architecture_alone(factory: Factory, *, shapes_only: bool) -> LoadedTarget:
    # The user's code may compute or load weights of its own, so it is built for real.
    model = on_meta(factory.build) if shapes_only or not factory.runs_user_code else None
    notes = ("no weights were given: every weight counts as nonzero",)
    if model is None and shapes_only:
        raise MicronetError(
            f"{factory.name} cannot be built without memory: it looks at values of its weights.",
            "Leave --shapes-only out to build it for real.",
        )
    if model is None:
        model = factory.build()
        notes = (factory.note,) if factory.note else notes
    return LoadedTarget(
        name=factory.name,
        path=None,
        sha256=None,
        architecture=factory.name,
        config={},
        weights="unknown" if factory.runs_user_code and not shapes_only else "untrained",
        model=model.eval(),
        inputs=image_input(model, factory.name),
        card=None,
        notes=notes,
    )


def _built(known: Card) -> LoadedTarget:
    sparse = known.architecture in SPARSE
    model = None
    note = "no weights are here: every weight counts as nonzero"
    if not sparse:
        model = on_meta(lambda: build_model(known.architecture, known.config))
    if model is None:
        model = seeded_model(known.architecture, known.config, DEFAULT_SEED)
        note = f"built untrained, seed {DEFAULT_SEED}"
    if known.weights == "released":
        note += f"; the released weights: micronet fetch {known.name}"
    return LoadedTarget(
        name=known.name,
        path=None,
        sha256=None,
        architecture=known.architecture,
        config=known.config,
        weights="untrained",
        model=model.eval(),
        inputs=default_input(known.architecture, known.config),
        card=known,
        notes=(note,),
    )


def _file_in(path: Path, factory: Factory) -> LoadedTarget:
    state = read_state_file(path)
    slim = slim_of(state.meta, str(path))
    model = filled(
        slim.around(factory.build),
        state.tensors,
        what=str(path),
        name=factory.name,
        real=factory.runs_user_code,
        absent=slim.absent,
    )
    return LoadedTarget(
        name=path.name,
        path=path,
        sha256=sha256_of(path),
        architecture=factory.name,
        config={},
        weights=_declared(state),
        model=model,
        inputs=image_input(model, factory.name),
        card=None,
        notes=_notes(factory.note, *_storage_notes(state)),
    )


def _file_alone(path: Path, *, trust: bool) -> LoadedTarget:
    state = read_state_file(path)
    known = _card_of(path)
    sha256 = sha256_of(path)
    check_pin(path, sha256)
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
        notes=_storage_notes(state),
    )
    if state.format == "pt2":
        return _program(path, blank, state, trust=trust)
    if state.format == "micronet":
        return _native(blank, state, known)
    return _recognised(path, blank, state, known)


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
    build = factory_of(name).build if of_torchvision else partial(build_model, name, config)
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
    path: Path, blank: LoadedTarget, state: StateFile, known: Card | None
) -> LoadedTarget:
    found = dnw_family(state.tensors)
    if found is None:
        guess = torchvision_guess(state.tensors)
        looks = f"This looks like {guess}: " if guess else ""
        raise MicronetError(
            f"{path}: holds {len(state.tensors)} tensors, but not their architecture.",
            f"{looks}--model {guess or 'torchvision:NAME | package.module:factory'}",
        )
    if known is not None and known.architecture != found.architecture:
        known = None
    tensors, config, note = selected(path, found, state.tensors, known)
    name = found.architecture
    model = filled(lambda: build_model(name, config), tensors, what=str(path), name=name)
    return replace(
        blank,
        architecture=name,
        config=config,
        weights="trained" if known is not None and known.weights == "released" else blank.weights,
        model=model,
        inputs=default_input(name, config),
        notes=(*blank.notes, note),
        **_carded(known, name, blank.name),
    )


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


def _storage_notes(state: StateFile) -> tuple[str, ...]:
    """A note if weights are stored in fewer bits than they are computed with."""
    types = {tensor.dtype for tensor in state.tensors.values() if tensor.is_floating_point()}
    narrow = sorted(
        str(dtype).removeprefix("torch.")
        for dtype in types
        if dtype.itemsize < torch.float32.itemsize
    )
    return (f"some weights are stored as {', '.join(narrow)}",) if narrow else ()
