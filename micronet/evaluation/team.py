"""The processes that evaluate together: one alone, or many under torchrun."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")


class Team(Protocol):
    """What an evaluation asks of its processes; ``rank`` 0 writes the receipt."""

    rank: int
    world: int
    local_rank: int

    def deal(self, name: str, items: Sequence[T]) -> Iterator[T]:
        """The items that fall to this process: each item to one process, whoever is free."""
        ...

    def advance(self, count: int) -> int:
        """Tell that ``count`` more images are done; how many all processes have done so far."""
        ...

    def share(self, mine: T) -> list[T]:
        """What every process gives here, by rank; waits for all, never for a dead one."""
        ...

    def check(self) -> None:
        """Raise MicronetError if another process has failed or died."""
        ...

    def fail(self, reason: str) -> None:
        """Tell the others that this process cannot go on."""
        ...

    def leave(self) -> None:
        """The work is done, or given up."""
        ...


class Alone:
    """A team of one process."""

    rank = 0
    world = 1
    local_rank = 0

    def __init__(self) -> None:
        self._done = 0

    def deal(self, name: str, items: Sequence[T]) -> Iterator[T]:
        """All items."""
        del name
        return iter(items)

    def advance(self, count: int) -> int:
        """What this process has done."""
        self._done += count
        return self._done

    def share(self, mine: T) -> list[T]:
        """What it gave."""
        return [mine]

    def check(self) -> None:
        """Nobody else can fail."""

    def fail(self, reason: str) -> None:
        """Nobody else has to know."""

    def leave(self) -> None:
        """Nobody is left behind."""


def join_team() -> Team:
    """The team that torchrun has made this process part of, else a team of one.

    Raises MicronetError if the others cannot be reached.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return Alone()
    from micronet.evaluation.torchrun import TorchrunTeam

    return TorchrunTeam()
