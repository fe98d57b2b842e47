"""What is known of a trace before anything is priced, each fact found once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from micronet.scoring import channels, folding
from micronet.scoring.liveness import Liveness, analyse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from micronet.scoring.ir import Trace


class Facts:
    """Liveness, channel axes and foldable norms of one trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    @cached_property
    def liveness(self) -> Liveness:
        """Which elements can be nonzero and reach the output."""
        return analyse(self.trace)

    @cached_property
    def axes(self) -> Mapping[int, frozenset[int]]:
        """Channel axes of every activation."""
        return channels.channel_axes(self.trace)

    @cached_property
    def folds(self) -> Mapping[int, int]:
        """Batch norms that fold, by position, and where to."""
        return folding.folds(self.trace)
