"""Keep the memory of activations from being given back to the system after every operator.

glibc maps each large block anew and unmaps it when it is freed, so an inference spends most of its
time in page faults. Blocks are kept instead: the process then holds the memory of its peak.

To be called before there are threads: a thread that has allocated before may have got an arena of
its own, later threads take it over, and such an arena gives memory back all the same.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

# Option numbers, from the manual page of mallopt
_M_TRIM_THRESHOLD: Final = -1
_M_TOP_PAD: Final = -2
_M_MMAP_MAX: Final = -4
_M_ARENA_MAX: Final = -8
_SETTINGS: Final = (
    (_M_MMAP_MAX, 0),  # no block has a mapping of its own
    (_M_TRIM_THRESHOLD, 2**31 - 1),  # the top of the heap is not given back
    (_M_TOP_PAD, 64 * 2**20),  # and grows in steps
    (_M_ARENA_MAX, 1),  # other arenas are limited to 64 MiB, and map what is larger
)


def settle_allocator() -> bool:
    """Tell glibc to keep freed memory; False where the C library is another one."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return all(mallopt(option, value) == 1 for option, value in _SETTINGS)
