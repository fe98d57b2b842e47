"""One pass over a text, call by call, that can be stopped at any moment and gone on with."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from micronet.errors import MicronetError
from micronet.evaluation.language import agreement
from micronet.evaluation.language.losses import Totals, losses
from micronet.evaluation.language.protocol import STATEFUL, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from micronet.evaluation.language.journal import Journal
    from micronet.evaluation.language.reader import Reader


@dataclass(frozen=True)
class Run:
    """One pass over ``stream``, which is <eos> and the text."""

    reader: Reader
    protocol: Protocol
    stream: tuple[int, ...]
    progress: Callable[[int, int, float], None] | None

    def finish(self, journal: Journal | None, save_seconds: float) -> Totals:
        """The totals of the whole text, from where ``journal`` left off."""
        size = len(self.stream) - 1
        totals, state = Totals(), self.reader.start()
        found = None if journal is None else journal.load(self.reader.device)
        if found is not None:
            totals, state = found
            if totals.tokens > size or not (
                totals.tokens == size or self.protocol.starts_call(totals.tokens)
            ):
                raise MicronetError(
                    f"The journal stands at token {totals.tokens:,}, where no call begins.",
                    "Delete it to start from the beginning.",
                )
        # The first call is saved, so that a state that cannot be is found at once.
        saved = -math.inf
        while totals.tokens < size:
            totals, state = self._call(totals, state)
            if journal is not None and (
                time.monotonic() - saved >= save_seconds or totals.tokens == size
            ):
                journal.save(totals, state)
                saved = time.monotonic()
            if self.progress is not None:
                so_far = totals.perplexity
                self.progress(totals.tokens, size, math.inf if so_far is None else so_far)
        return totals

    def _call(self, totals: Totals, state: Any) -> tuple[Totals, Any]:
        """The totals and the state after one more call."""
        size = len(self.stream) - 1
        span = self.protocol.span(totals.tokens, size)
        compared = not self.protocol.cannot_look_ahead and agreement.is_compared(
            self.protocol.call(totals.tokens)
        )
        windowed = self.protocol.mode not in STATEFUL
        given = self.reader.start() if windowed else state
        before = copy.deepcopy(given) if compared else None
        ids = self.stream[span.start : span.end]
        sliding = self.protocol.mode == "sliding"
        rows, after = self.reader.read(ids, given, only_last=sliding)
        targets = self.stream[span.scored + 1 : span.end + 1]
        totals = totals.plus(losses(rows[-len(targets) :], targets))
        if compared:
            call = agreement.Call(span, before, rows, after)
            found = agreement.compare(self.reader, self.stream, call, carried=not windowed)
            totals = replace(
                totals,
                compared=totals.compared + len(found),
                largest_difference=max(totals.largest_difference, *found),
            )
        return totals, None if windowed else after
