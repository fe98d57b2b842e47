"""Images that are not held in memory: decoded by a few threads, ahead of who asks, in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    Views = list[NDArray[np.uint8]]


def read_ahead(
    shares: Iterator[NDArray[np.int64]], view: Callable[[int], NDArray[np.uint8]], threads: int
) -> Iterator[tuple[NDArray[np.int64], Views]]:
    """Each of ``shares`` with the views of its images, while those of the next one are made.

    Raises what ``view`` raises, of the first image in order; what is left over is then not read.
    """
    pool = ThreadPoolExecutor(threads, "images")
    waiting: deque[tuple[NDArray[np.int64], list[Future[NDArray[np.uint8]]]]] = deque()
    try:
        for rows in shares:
            waiting.append((rows, [pool.submit(view, int(index)) for index in rows]))
            if len(waiting) > 1:
                yield _finished(*waiting.popleft())
        while waiting:
            yield _finished(*waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _finished(
    rows: NDArray[np.int64], futures: list[Future[NDArray[np.uint8]]]
) -> tuple[NDArray[np.int64], Views]:
    return rows, [future.result() for future in futures]
