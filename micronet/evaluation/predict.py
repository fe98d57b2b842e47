"""From a batch of inputs to answers that do not depend on the batch.

The bits of a network's outputs change with the batch size, the number of threads and the memory
layout; its answers must not. An answer of the fast network counts where its outputs are so far
apart that rounding cannot have decided; every other image is given to the plain network alone, on
one thread. So an answer is always that of the plain network on the image alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from micronet.evaluation.prediction import NONFINITE, OK, TIED

if TYPE_CHECKING:
    from torch import Tensor

    from micronet.evaluation.network import Network

TOP: Final = 5
UNIT: Final = 100  # a margin is kept in whole percent
_FLOAT64: Final = 1e-9  # percent that float64's own rounding, in batches or alone, stays far below


@dataclass(frozen=True, slots=True)
class Answer:
    """The best classes, best first, the margin in percent, and a state of ``prediction``."""

    top: tuple[int, ...]
    margin_percent: int | None
    state: str


def answers(network: Network, inputs: Tensor, classes: int) -> list[Answer]:
    """The answer to each of ``inputs`` [n, 3, height, width].

    Raises MicronetError if the outputs are not [n, classes].
    """
    lonely = math.isinf(network.noise)
    if not network.arithmetic.exact:
        batches = inputs.split(1 if lonely else len(inputs))
        return [_answer(row) for batch in batches for row in network.outputs(batch, classes)]
    if lonely:
        return [_answer(network.alone(single, classes)) for single in inputs.split(1)]
    outputs = network.outputs(inputs, classes)
    clear, tops, margins = _clear(outputs, network.noise)
    return [
        Answer(tuple(tops[index]), margins[index], OK)
        if sure
        else _answer(network.alone(inputs[index : index + 1], classes))
        for index, sure in enumerate(clear)
    ]


def _clear(outputs: Tensor, noise: float) -> tuple[list[bool], list[list[int]], list[int]]:
    """Which rows rounding cannot have decided, with their best classes and margins."""
    keep = min(TOP + 1, outputs.shape[1])
    best, order = outputs.topk(keep, dim=1)
    error = outputs.abs().amax(dim=1) * noise
    gaps = (best[:, :-1] - best[:, 1:]).amin(dim=1) if keep > 1 else best[:, 0].abs() + 1
    margin, sway = _margin(best, outputs)
    sway = 2 * error * (2 * error).exp() * sway  # a chance's logit moves by 2 · error at most
    scaled = margin * UNIT
    from_edge = ((scaled - scaled.floor()) - 0.5).abs()
    sure = (gaps > 2 * error) & (from_edge > UNIT * sway + _FLOAT64)
    sure &= outputs.isfinite().all(dim=1)
    margins = (scaled + 0.5).floor().nan_to_num().to(torch.int64)
    return sure.tolist(), order[:, :TOP].tolist(), margins.tolist()


def _margin(best: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
    """p1 - p2, and how fast it moves with the logits of the two chances: Σ p(1 - p)."""
    chance = (best[:, :2] - outputs.logsumexp(dim=1, keepdim=True)).exp()
    second = chance[:, 1] if chance.shape[1] > 1 else torch.zeros_like(chance[:, 0])
    return chance[:, 0] - second, (chance * (1 - chance)).sum(dim=1)


def _answer(row: Tensor) -> Answer:
    """The answer that one row of outputs gives, equal outputs in the order of their classes."""
    if not row.isfinite().all():
        return Answer((), None, NONFINITE)
    best, order = row.sort(descending=True, stable=True)
    tied = len(best) > 1 and bool(best[0] == best[1])
    margin, _ = _margin(best[None], row[None])
    percent = int((margin[0] * UNIT + 0.5).floor())
    return Answer(tuple(order[:TOP].tolist()), percent, TIED if tied else OK)
