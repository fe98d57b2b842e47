"""micronet, the referee for efficient networks: what a checkpoint costs, exactly.

    import micronet
    micronet.score("dnw_x225", rules="micronet2019", input_shape=(1, 3, 224, 224))

Any network can be made sparse as DNW does it, and trained by its own loop; then made plain again:

    gates = micronet.sparsify(model, density=0.1, keep_dense=["conv1"])
    torch.save(micronet.harden(model).state_dict(), "sparse.pt")

Importing the package imports no torch; the first use of one of these functions does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from micronet.scoring.api import score
    from micronet.training.sparsify import harden, sparsify

__all__ = ["__version__", "harden", "score", "sparsify"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import what a function needs when it is first asked for (PEP 562)."""
    if name == "score":
        return import_module("micronet.scoring.api").score
    if name in ("harden", "sparsify"):
        return getattr(import_module("micronet.training.sparsify"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
