"""Counting: trace → operations → liveness → rule book → tally → score."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from micronet.scoring.acts import register
    from micronet.scoring.api import Score, score, score_target

__all__ = ["Score", "register", "score", "score_target"]


def __getattr__(name: str) -> object:
    """Import the counter, and torch with it, when it is first asked for (PEP 562)."""
    if name in __all__:
        from micronet.scoring import acts, api

        return getattr(acts if name == "register" else api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
