"""Which rows of an epoch each process takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Share:
    """What process ``rank`` of ``world`` takes: its run of neighbours in each batch.

    ``batch_size`` is that of all processes together and must divide evenly. The last batch of an
    epoch need not: of n rows process r takes those from n·r // world to n·(r + 1) // world, so
    shares differ by one row and may be empty, but all of them together are the whole batch.
    """

    batch_size: int
    rank: int
    world: int
    first_batch: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world or self.first_batch < 0:
            raise ValueError(self)
        if self.batch_size < 1:
            raise MicronetError(f"Batches of {self.batch_size} images: expected 1 or more.")
        if self.batch_size % self.world:
            raise MicronetError(
                f"Batches of {self.batch_size} images cannot be dealt out to {self.world} processes.",
                "Give a batch size that is a multiple of the number of processes.",
            )

    def of(self, order: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """This process's part of each batch of ``order``, from ``first_batch`` on."""
        for start in range(self.first_batch * self.batch_size, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            count = len(rows)
            yield rows[count * self.rank // self.world : count * (self.rank + 1) // self.world]
