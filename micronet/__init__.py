"""micronet, the referee for efficient networks: what a checkpoint costs, exactly.

    import micronet
    micronet.score("dnw_x225", rules="micronet2019", input_shape=(1, 3, 224, 224))

Importing the package imports no torch; the first use of ``score`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from micronet.scoring.api import score

__all__ = ["__version__", "score"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import the counter when it is first asked for (PEP 562)."""
    if name == "score":
        from micronet.scoring import api

        return api.score
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
