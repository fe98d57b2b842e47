"""−log p of the token that came, in float64, and the exact sum of many.

With numpy: torch's float64 exponential is ten times slower, and its sums depend on the number of
threads. A vocabulary's row is computed at a time, so the memory is that of one row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor


def losses(rows: Tensor, targets: Sequence[int]) -> list[float]:
    """−log softmax(rows[i])[targets[i]] in nats; infinite or NaN where the logits are."""
    narrow = rows.dtype not in (torch.float32, torch.float64)
    values = (rows.float() if narrow else rows).cpu().numpy()
    spread = np.empty(values.shape[-1])
    found = []
    for row, target in zip(values, targets, strict=True):
        with np.errstate(invalid="ignore"):  # ∞ − ∞
            np.subtract(row, row.max(), out=spread, dtype=np.float64)
        behind = float(spread[target])
        total = float(np.exp(spread, out=spread).sum())
        found.append(math.log(total) - behind)
    return found


@dataclass(frozen=True)
class Totals:
    """What is known after ``tokens`` tokens.

    ``nats`` is the exact sum of the finite losses: float64 values are fractions, so no order or
    grouping of them gives another sum. ``first_nonfinite`` is the position of the first loss that is
    not finite. ``largest_difference`` in nats was found in ``compared`` tokens that were also
    predicted one by one.
    """

    tokens: int = 0
    nats: Fraction = Fraction(0)
    nonfinite: int = 0
    first_nonfinite: int | None = None
    compared: int = 0
    largest_difference: float = 0.0

    def plus(self, found: Iterable[float]) -> Totals:
        """These totals and the losses of the tokens that follow."""
        tokens, nats, nonfinite, first = (
            self.tokens,
            self.nats,
            self.nonfinite,
            self.first_nonfinite,
        )
        for loss in found:
            if math.isfinite(loss):
                nats += Fraction(loss)
            else:
                first = tokens if first is None else first
                nonfinite += 1
            tokens += 1
        return replace(self, tokens=tokens, nats=nats, nonfinite=nonfinite, first_nonfinite=first)

    @property
    def perplexity(self) -> float | None:
        """exp(nats / tokens); None where a loss is not finite, or float64 cannot hold it."""
        if self.nonfinite or not self.tokens:
            return None
        try:
            return math.exp(self.nats / self.tokens)
        except OverflowError:
            return None
