"""``micronet evaluate``: load, look at every image once, leave a receipt."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from micronet.commands import console, machine
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from micronet.checkpoints.loaded import LoadedTarget
    from micronet.evaluation.prediction import Prediction

TEXT_TRACK: Final = "wikitext103"


@dataclass(frozen=True)
class Request:
    """One ``micronet evaluate`` command line; the fields are its options."""

    target: str | None
    data: Path
    model: str | None = None
    weights: Path | None = None
    trust: bool = False
    labels: Path | None = None
    real: Path | None = None
    vocabulary: Path | None = None
    vocabulary_order: Literal["appearance", "frequency"] = "appearance"
    context: int | None = None
    stride: int | None = None
    online: bool = False
    track: str | None = None
    resize: str | None = None
    crop: str | None = None
    interpolation: str | None = None
    decoder: str = "pil"
    batch_size: int = 16
    dtype: str = "fp32"
    compiled: bool = False
    strict: bool = False
    save: bool = True
    predictions: Path | None = None
    device: str = "cpu"
    threads: int | None = None
    json: bool = False


def run(request: Request) -> int:
    """Evaluate the target, show the document and write the receipt."""
    if request.target is None and request.model is None:
        raise MicronetError(
            "Nothing to evaluate: neither a target nor --model.",
            "For example: micronet evaluate efficientnet_lite0 --data ~/imagenet/val",
        )
    with _stoppable():
        machine.prepare(request.device, None)
        loaded = _loaded(request)
        track = request.track or (loaded.card.track if loaded.card else None)
        if track == TEXT_TRACK:
            from micronet.commands.evaluate_language import run_language

            return run_language(request, loaded)
        from micronet.commands.evaluate_images import run_images

        return run_images(request, loaded, track)


def _loaded(request: Request) -> LoadedTarget:
    from micronet.checkpoints.target import load_target

    return load_target(
        request.target, model=request.model, weights=request.weights, trust=request.trust
    )


def finish(
    request: Request,
    document: Mapping[str, Any],
    predictions: Sequence[Prediction] = (),
    real: Sequence[tuple[int, ...]] | None = None,
) -> None:
    """Show the document, and write it with its predictions where that was asked for."""
    if request.json:
        console.write_json(document)
    else:
        from micronet.commands.render_evaluation import evaluation_view

        console.write(evaluation_view(document))
    if request.save:
        from micronet.evaluation.receipt_file import save

        console.say(f"receipt: {save(document, predictions, Path.cwd(), real=real)}")
    if request.predictions is not None:
        from micronet.evaluation.predictions_file import write_predictions

        write_predictions(request.predictions, predictions, real=real)


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM, which torchrun sends to the rest when a process has died, ends like Ctrl-C."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
