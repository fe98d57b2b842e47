"""How far an evaluation is, for whoever watches it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from micronet.evaluation.lanes import Finished
    from micronet.evaluation.prediction import Prediction


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: images of all processes, answers known to this one, seconds of its lanes."""

    done: int
    total: int
    right: int
    known: int
    images_per_second: float
    decode_seconds: float
    compute_seconds: float


class Meter:
    """Counts what this process knows and tells ``watch``."""

    def __init__(
        self, total: int, known: Collection[Prediction], watch: Callable[[Progress], None]
    ) -> None:
        self.total, self.watch = total, watch
        self.before = self.known = len(known)
        self.right = sum(each.correct for each in known)
        self.decode_seconds = self.compute_seconds = 0.0
        self.since = time.perf_counter()
        self._tell(0)

    def tick(self, finished: Finished, done_now: int) -> None:
        """A chunk of this process is finished, and ``done_now`` images of all since the start."""
        self.known += len(finished.predictions)
        self.right += sum(each.correct for each in finished.predictions)
        self.decode_seconds += finished.decode_seconds
        self.compute_seconds += finished.compute_seconds
        self._tell(done_now)

    def _tell(self, done_now: int) -> None:
        seconds = time.perf_counter() - self.since
        self.watch(
            Progress(
                done=self.before + done_now,
                total=self.total,
                right=self.right,
                known=self.known,
                images_per_second=done_now / seconds if seconds else 0.0,
                decode_seconds=self.decode_seconds,
                compute_seconds=self.compute_seconds,
            )
        )
