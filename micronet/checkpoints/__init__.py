"""What is scored: cards, checkpoint files of every accepted format, and how to get or build them.

Nothing is ever executed from a checkpoint, and sizes are bounded before memory is taken.
Importing this package imports no torch; the names below load what they need when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from micronet.checkpoints.build import build_checkpoint
    from micronet.checkpoints.card import Card, cards
    from micronet.checkpoints.fetch import fetch_checkpoint
    from micronet.checkpoints.folder import checkpoints_dir
    from micronet.checkpoints.target import LoadedTarget, load_target

__all__ = [
    "Card",
    "LoadedTarget",
    "build_checkpoint",
    "cards",
    "checkpoints_dir",
    "fetch_checkpoint",
    "load_target",
]
_HOME: Final = {
    "Card": "card",
    "LoadedTarget": "target",
    "build_checkpoint": "build",
    "cards": "card",
    "checkpoints_dir": "folder",
    "fetch_checkpoint": "fetch",
    "load_target": "target",
}


def __getattr__(name: str) -> Any:
    """A public name, from the module that defines it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
