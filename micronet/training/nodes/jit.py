"""How the kernels of this room are compiled and started.

Machine code is kept on disk beside the package, or in numba's folder of the user where that is
read-only. Where neither can be written, each process compiles for itself. Processes that start at
once compile the same code and replace each other's files as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

# Division follows IEEE 754, as in torch: x / 0 is infinite or NaN, and no exception.
_IEEE: Any = {"error_model": "numpy"}


def kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Compile a function that is called from Python, and whose ``prange`` loops threads share."""
    try:
        made: Callable[..., None] = numba.njit(function, cache=True, parallel=True, **_IEEE)
    except RuntimeError:  # numba found no place for its files
        made = numba.njit(function, parallel=True, **_IEEE)
    return made


def part(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that only kernels call."""
    made: Callable[..., Any] = numba.njit(function, **_IEEE)
    return made


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for what an inner loop consists of: it becomes part of who calls it."""
    made: Callable[..., Any] = numba.njit(function, forceinline=True, **_IEEE)
    return made


def run(made: Callable[..., None], *arguments: Any) -> None:
    """Call a kernel, with as many threads as torch uses.

    numba's number is the calling thread's own, and autograd may call from threads of its own.
    """
    most = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    numba.set_num_threads(min(torch.get_num_threads(), most))
    made(*arguments)
