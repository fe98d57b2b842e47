"""Count what an entry is about: load the network it names, watch it on real inputs if wanted."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from micronet.audit.activations import measure_activations
from micronet.audit.calibrate import mean_over, walk
from micronet.audit.gather import gather
from micronet.audit.images import images
from micronet.checkpoints.target import load_target, untrained
from micronet.models import InputSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor

    from micronet.audit.calibrate import Calibrated
    from micronet.audit.entry import Entry
    from micronet.audit.evidence import Evidence
    from micronet.checkpoints.loaded import LoadedTarget

EVERY_IMAGE: Final = sys.maxsize


@dataclass(frozen=True)
class Wanted:
    """What the command line says about the network; what it leaves out, the entry names.

    ``data``: watch activations on ``images`` of it; ``calibrate``: mean operations over it.
    """

    target: str | None = None
    model: str | None = None
    weights: Path | None = None
    input_shape: tuple[int, ...] | None = None
    data: Path | None = None
    images: int = 32
    calibrate: Path | None = None


def count_entry(
    entry: Entry, wanted: Wanted, on_image: Callable[[], None] = lambda: None
) -> Evidence:
    """The evidence about the network of ``entry``; ``on_image`` is told of every image.

    Runs the code that ``wanted.model`` or ``entry.model`` names, if it names a factory.
    """
    loaded = _loaded(entry, wanted)
    watched = None
    if wanted.data is not None:
        watched = measure_activations(
            loaded, _told(on_image, images(loaded, wanted.data, wanted.images))
        )
    means: list[Calibrated] = []
    if wanted.calibrate is not None:
        walked = walk(loaded, _told(on_image, images(loaded, wanted.calibrate, EVERY_IMAGE)))
        means = [mean_over(walked, rules) for rules in ("micronet2019", "macs")]
    return gather(loaded, track=entry.track, watched=watched, means=means)


def _told(on_image: Callable[[], None], given: Iterator[Tensor]) -> Iterator[Tensor]:
    for image in given:
        yield image
        on_image()


def _loaded(entry: Entry, wanted: Wanted) -> LoadedTarget:
    shape = wanted.input_shape or entry.input
    if wanted.target or wanted.model or wanted.weights:
        model = wanted.model or (None if wanted.target else entry.model)
        target = wanted.target or (entry.card if model is None else None)
        return load_target(target, model=model, weights=wanted.weights, input_shape=shape)
    if entry.architecture is not None:
        built = untrained(entry.name, entry.architecture, entry.config or {})
        return (
            built if shape is None else replace(built, inputs=InputSpec(shape, built.inputs.dtype))
        )
    return load_target(entry.card, model=entry.model, weights=entry.weights, input_shape=shape)
