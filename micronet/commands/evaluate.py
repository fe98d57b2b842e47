"""``micronet evaluate``: load, look at every image once, leave a receipt."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from micronet.commands import machine
from micronet.errors import MicronetError
from micronet.evaluation.allocator import settle_allocator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from micronet.checkpoints.loaded import LoadedTarget
    from micronet.commands.evaluation_request import Request

TEXT_TRACK: Final = "wikitext103"


def run(request: Request) -> int:
    """Evaluate the target, show the document and write the receipt."""
    if request.target is None and request.model is None:
        raise MicronetError(
            "Nothing to evaluate: neither a target nor --model.",
            "For example: micronet evaluate efficientnet_lite0 --data ~/imagenet/val",
        )
    settle_allocator()  # before torch or anybody else starts a thread that takes an arena of its own
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
