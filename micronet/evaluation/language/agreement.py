"""Whether several tokens in one call get the predictions that they get one by one.

A model may look at tokens that come later, may have another axis for time, may see more of the past
in a longer call, or drop its state between calls. Each is found by asking it again.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import torch

from micronet.errors import MicronetError
from micronet.evaluation.language.losses import losses
from micronet.evaluation.language.reader import LAYOUTS, Layout, Reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from micronet.evaluation.language.protocol import Span

PROBE_TOKENS: Final = 8
# Other shapes are other kernels, which round otherwise: about 1e-5 nats in 32 bits.
TOLERANCE_NATS: Final = 1e-3
_EPSILONS: Final = 32  # of narrower types: their logits are rounded to a share of their size
_COMPARED: Final = 16  # prefixes of a window: each is a call of its own


def is_compared(call: int) -> bool:
    """Whether the model is asked again after this call: call 0, 1, 2, 4, 8 and so on."""
    return call & (call - 1) == 0


def laid_out(reader: Reader, ids: Sequence[int], layout: Layout | None) -> Reader:
    """``reader`` with the axis that time has: ``layout``, or the one along which tokens matter.

    Where the last prediction depends on earlier tokens, time is found by changing those. A model
    without memory predicts the same in both layouts.
    """
    probe = tuple(ids[:PROBE_TOKENS])
    if layout is not None or len(probe) < 2:
        return replace(reader, layout=layout or reader.layout)
    working: list[Reader] = []
    problem: MicronetError | None = None
    for candidate in (replace(reader, layout=each) for each in LAYOUTS):
        try:
            if _remembers(candidate, probe):
                return candidate
            working.append(candidate)
        except MicronetError as error:
            problem = problem or error
    if problem is not None and not working:
        raise problem
    return working[0]


def _remembers(reader: Reader, probe: tuple[int, ...]) -> bool:
    others = (*(_other(token, reader) for token in probe[:-1]), probe[-1])
    said, _ = reader.read(probe, reader.start(), only_last=True)
    changed, _ = reader.read(others, reader.start(), only_last=True)
    return not _same(said[-1], changed[-1])


def check_repeatable(reader: Reader, ids: Sequence[int]) -> None:
    """MicronetError if the same call twice gives two answers: dropout, or a state kept inside."""
    token, other = ids[0], _other(ids[0], reader)
    _, once, _, again = (
        reader.read([each], reader.start())[0] for each in (token, token, other, token)
    )
    if not _same(once, again):
        raise MicronetError(
            f"{type(reader.module).__name__} answers the same token in two ways.",
            "Switch off what is random, and return what it remembers as a state.",
        )


def check_logits(rows: Tensor) -> None:
    """MicronetError for probabilities, which would pass as almost uniform logits."""
    sums = rows.double().sum(-1)
    if bool((rows >= 0).all()) and bool(((sums - 1).abs() < 1e-3).all()) and rows.shape[-1] > 1:
        raise MicronetError(
            "The model returned probabilities: each row is positive and sums to 1.",
            "Return logits, or the probabilities' logarithms.",
        )


@dataclass(frozen=True)
class Call:
    """What a model was given, and what it answered: logits, and the state behind the last token."""

    span: Span
    state: Any
    rows: Tensor
    after: Any


def compare(reader: Reader, stream: Sequence[int], call: Call, *, carried: bool) -> list[float]:
    """How far the losses of ``call`` are from those of a token at a time, in nats.

    ``stream`` is <eos> and the text; ``carried`` says that its calls pass on their state. MicronetError
    if the model looks ahead, or a loss differs by more than the tolerance.
    """
    _check_blind(reader, stream, call)
    tolerance = TOLERANCE_NATS
    if call.rows.dtype not in (torch.float32, torch.float64):
        tolerance = max(tolerance, _EPSILONS * torch.finfo(call.rows.dtype).eps)
    differences = []
    for position, together, alone in (_carried if carried else _prefixes)(reader, stream, call):
        same = together == alone or (math.isnan(together) and math.isnan(alone))
        difference = 0.0 if same else abs(together - alone)
        if not difference <= tolerance:
            raise MicronetError(
                f"Token {position:,} costs {together:.4f} nats when up to"
                f" {call.span.end - call.span.start} tokens are read in one call, and {alone:.4f} when"
                " they are read one by one.",
                "Evaluate it one token a call: online, or sliding for a model without a state.",
            )
        differences.append(difference)
    return differences


def _check_blind(reader: Reader, stream: Sequence[int], call: Call) -> None:
    """MicronetError if any prediction changes, by a bit, when what comes after it is changed."""
    start = call.span.start
    ids = tuple(stream[start : call.span.end])
    for cut in sorted({1, len(ids) // 2, len(ids) - 1} - {0, len(ids)}):
        others = ids[:cut] + tuple(_other(token, reader) for token in ids[cut:])
        changed, _ = reader.read(others, copy.deepcopy(call.state))
        if not _same(call.rows[:cut], changed[:cut]):
            at = next(i for i in range(cut) if not _same(call.rows[i], changed[i]))
            raise MicronetError(
                f"The model looks ahead: its prediction of token {start + at:,} changes with the tokens"
                " from there on.",
                "Mask what comes later, or evaluate it one token a call (online, sliding).",
            )


Losses = tuple[int, float, float]


def _carried(reader: Reader, stream: Sequence[int], call: Call) -> list[Losses]:
    """(position, loss together, loss alone) through the call, and of the token behind it."""
    start, end, _ = call.span
    alone = call.state
    found = []
    for at, together in enumerate(losses(call.rows, stream[start + 1 : end + 1]), start):
        row, alone = reader.read([stream[at]], alone)
        found.append((at, together, losses(row, [stream[at + 1]])[0]))
    if end + 1 < len(stream):  # is the state that is carried over the same, too?
        token, target = [stream[end]], [stream[end + 1]]
        together = losses(reader.read(token, copy.deepcopy(call.after))[0], target)[0]
        found.append((end, together, losses(reader.read(token, alone)[0], target)[0]))
    return found


def _prefixes(reader: Reader, stream: Sequence[int], call: Call) -> list[Losses]:
    """(position, loss in the window, loss with the window cut behind it) at some places."""
    start, end, scored = call.span
    places = {scored + (end - scored) * part // _COMPARED for part in range(_COMPARED)} | {end - 1}
    found = []
    for position in sorted(places):
        target = [stream[position + 1]]
        row, _ = reader.read(stream[start : position + 1], reader.start(), only_last=True)
        together = losses(call.rows[position - start : position - start + 1], target)[0]
        found.append((position, together, losses(row[-1:], target)[0]))
    return found


def _other(token: int, reader: Reader) -> int:
    return (token + 1) % reader.vocabulary


def _same(one: Tensor, other: Tensor) -> bool:
    """Equal bit by bit, where two NaN are equal."""
    return bool(((one == other) | (one.isnan() & other.isnan())).all())
