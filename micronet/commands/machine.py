"""``--device`` and ``--threads``, and other words of the command line turned into values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch


def prepare(device: str, threads: int | None) -> torch.device:
    """Set torch's number of CPU threads and check that ``device`` is there.

    Raises MicronetError for a device that torch does not know or this machine does not have.
    """
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise MicronetError(
            f"No device '{device}' here: {reason}", "Use --device cpu, or leave it out."
        ) from error
    return chosen


def one_of(option: str, text: str, known: Iterable[str]) -> None:
    """Check that ``text`` is one of the words that ``option`` takes; MicronetError otherwise."""
    words = list(known)
    if text not in words:
        raise MicronetError(f"{option} is '{text}', expected {', '.join(words)}.")


def input_shape(text: str | None) -> tuple[int, ...] | None:
    """``"1,3,224,224"`` as a shape; None stays None (the model's own default).

    Raises MicronetError unless it is positive whole numbers between commas.
    """
    if text is None:
        return None
    extents = [extent.strip() for extent in text.split(",")]
    if not all(extent.isascii() and extent.isdigit() and int(extent) > 0 for extent in extents):
        raise MicronetError(
            f"--input is '{text}', expected positive whole numbers between commas.",
            "For example: --input 1,3,224,224",
        )
    return tuple(int(extent) for extent in extents)


def layer_limit(text: str) -> int | None:
    """``--layers``: how many layers to show one by one; None for ``all``."""
    if text == "all":
        return None
    if not (text.isascii() and text.isdigit()):
        raise MicronetError(
            f"--layers is '{text}', expected a whole number or 'all'.", "For example: --layers all"
        )
    return int(text)
