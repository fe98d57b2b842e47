"""The numbers that tests compare, taken from a bill under the challenge's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micronet.scoring.network import Network
from micronet.scoring.rulebook import rule_book
from micronet.scoring.tally import Tally, tally
from micronet.scoring.trace import meta_input, trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn


def bill(model: nn.Module, shape: Sequence[int], dtype: str = "float32") -> Tally:
    return tally(Network(trace(model, [meta_input(shape, dtype)])), rule_book("micronet2019"))


def costs(found: Tally) -> tuple[int, int, int]:
    """(multiplications, additions, others)."""
    return found.cost.multiplications, found.cost.additions, found.cost.other


def edges(found: Tally) -> tuple[int, int, int]:
    """(stored, active, live)."""
    return found.stored, found.active, found.live
