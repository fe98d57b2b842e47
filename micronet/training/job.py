"""What is to be trained, on what, and how; and what an epoch of it came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from micronet.training.data.batches import Look
    from micronet.training.data.images import Images
    from micronet.training.method import Method
    from micronet.training.recipe import Recipe
    from micronet.training.wires import Wires


@dataclass(frozen=True)
class Job:
    """A network, the recipe and method that train it, and its images; ``seed`` decides all chance."""

    architecture: str
    config: Mapping[str, Any]
    recipe: Recipe
    method: Method
    train: Images
    test: Images | None
    look: Look
    seed: int


@dataclass
class Tally:
    """Sums over the images of an epoch so far: their loss, how many were right, seconds of work."""

    images: int = 0
    right: int = 0
    loss: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to; ``epoch`` counts from 1, ``step`` is the steps done since the start.

    ``loss`` is the mean over its ``images``, each as it was when it was learned from, of which
    ``right`` were answered rightly. ``test_right`` of ``test_images``: after the epoch, on images
    that nothing is learned from; None where there are none.
    """

    epoch: int
    step: int
    learning_rate: float
    loss: float
    right: int
    images: int
    seconds: float
    test_right: int | None
    test_images: int | None
    wires: Wires


@dataclass(frozen=True)
class Progress:
    """Where a run is after a step: batch ``batch`` of ``batches``, epoch ``epoch`` of ``epochs``.

    ``loss`` (mean) and ``right`` (a share) are of the epoch so far, ``wires`` of when the last
    epoch ended.
    """

    epoch: int
    epochs: int
    batch: int
    batches: int
    images_per_second: float
    loss: float
    right: float
    wires: Wires | None
