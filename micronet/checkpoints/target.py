"""From what the user names (a file, a card, an architecture) to a model that can be judged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.build import DEFAULT_SEED, seeded_model
from micronet.checkpoints.factory import Factory, factory_of, image_input, on_meta
from micronet.checkpoints.from_file import card_file, file_alone, file_in
from micronet.checkpoints.loaded import LoadedTarget
from micronet.checkpoints.named import Named, named
from micronet.checkpoints.whereabouts import OFFERED, command_for, how_to_get
from micronet.errors import MicronetError
from micronet.models import InputSpec, build_model, default_input

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from micronet.checkpoints.card import Card

__all__ = ["LoadedTarget", "load_target", "untrained"]
SPARSE: Final = frozenset(
    {"mobilenetv1_dnw", "tiny_static", "tiny_discrete", "tiny_continuous", "resnet50_sparse"}
)


def load_target(
    target: str | None,
    *,
    model: str | None = None,
    weights: Path | None = None,
    input_shape: tuple[int, ...] | None = None,
    trust: bool = False,
    shapes_only: bool = False,
) -> LoadedTarget:
    """Load ``target`` (a file or a card's name), an architecture ``model``, or one into the other.

    ``weights`` is a file for ``model`` or for the card ``target``. ``input_shape`` replaces the
    architecture's own. ``trust`` allows torch to execute what a torch.export archive holds;
    nothing else is ever executed from a file.
    """
    loaded = _load(target, model, weights, trust=trust, shapes_only=shapes_only)
    if input_shape is None:
        return loaded
    return replace(loaded, inputs=InputSpec(tuple(input_shape), loaded.inputs.dtype))


def _load(
    target: str | None, model: str | None, weights: Path | None, *, trust: bool, shapes_only: bool
) -> LoadedTarget:
    factory = None if model is None else factory_of(model)
    if target is None and weights is None:
        if factory is None:
            raise MicronetError("Nothing to load.", "Name a file, a card or --model ARCHITECTURE.")
        return _architecture_alone(factory, shapes_only=shapes_only)
    if shapes_only:
        raise MicronetError(
            f"--shapes-only counts an architecture without weights, found {target or weights}.",
            "Name it with --model alone.",
        )
    found = named(target, model, weights)
    if found.file is None:
        return _without_file(found, factory)
    if factory is not None:
        return file_in(found.file, factory)
    if found.card is not None:
        return card_file(found.file, found.card, found.note, given=found.given)
    return file_alone(found.file, trust=trust)


def _without_file(found: Named, factory: Factory | None) -> LoadedTarget:
    known = found.card
    if known is None:
        raise ValueError("neither file nor card")
    if factory is not None:
        raise MicronetError(
            f"{known.name} has no file here to load into {factory.name}.", how_to_get(known)
        )
    return _built(known)


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
    loaded = untrained(known.name, known.architecture, known.config)
    notes = loaded.notes
    if known.weights in OFFERED:
        notes = (f"{notes[0]}; the {known.weights} weights: {command_for(known)}",)
    return replace(loaded, card=known, notes=notes)


def untrained(name: str, architecture: str, config: Mapping[str, Any]) -> LoadedTarget:
    """One of our own architectures without weights of its own: sparse ones are drawn by a fixed seed."""
    sparse = architecture in SPARSE
    model = None if sparse else on_meta(lambda: build_model(architecture, config))
    note = "no weights are here: every weight counts as nonzero"
    if model is None:
        model = seeded_model(architecture, config, DEFAULT_SEED)
        note = f"built untrained, seed {DEFAULT_SEED}"
    return LoadedTarget(
        name=name,
        path=None,
        sha256=None,
        architecture=architecture,
        config=config,
        weights="untrained",
        model=model.eval(),
        inputs=default_input(architecture, config),
        card=None,
        notes=(note,),
    )
