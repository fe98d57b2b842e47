"""What a language model computes for a token, on average over a text (Scoring §2: online)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn
from torch.utils import _pytree

from micronet.errors import MicronetError
from micronet.evaluation.language.protocol import STATEFUL, Protocol
from micronet.evaluation.language.reader import Reader, called, reader_of
from micronet.evaluation.language.settings import evaluating
from micronet.scoring.api import score

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FORMS: Final = 4096  # of a state that grows: each is counted on its own


def operations_per_token(
    model: nn.Module,
    protocol: Protocol,
    *,
    tokens: int,
    vocabulary: int,
    layout: str = "either",
    rules: str | None = None,
) -> Fraction:
    """Operations under ``rules`` (default: the challenge's) of one token, the mean of ``tokens``.

    Each token is priced as if it came alone, in whatever pieces the text was read: with a state, one
    token after the state that it meets, counted once for each form (shapes of its tensors) the state
    takes; without one, its whole window, so a model that returns all logits of a window pays for them.

    MicronetError if the state goes on changing its form, or the model cannot be counted.
    """
    with evaluating(model):
        reader = reader_of(model, vocabulary)
        if layout == "time-first":
            reader = replace(reader, layout="time-first")
        prices = _steps if protocol.mode in STATEFUL else _windows
        total = sum(price * count for price, count in prices(reader, protocol, tokens, rules))
    return Fraction(total) / tokens


def _steps(
    reader: Reader, _protocol: Protocol, tokens: int, rules: str | None
) -> Iterator[tuple[Fraction, int]]:
    """(operations of one token, how many tokens meet a state of that form)."""
    state, known = reader.start(), None
    for done in range(tokens):
        leaves, form = _pytree.tree_flatten(state)
        shapes = tuple(_shape(leaf) for leaf in leaves)
        price = _price(reader, [0], state, rules)
        if (form, shapes) == known:  # and so it stays
            yield price, tokens - done
            return
        if done == MAX_FORMS:
            raise MicronetError(
                f"The state has another form after each of {done:,} tokens, so no price holds.",
                "Let it stop growing, and keep counters in tensors.",
            )
        yield price, 1
        known = (form, shapes)
        _, state = reader.read([0], state)


def _windows(
    reader: Reader, protocol: Protocol, tokens: int, rules: str | None
) -> Iterator[tuple[Fraction, int]]:
    """(operations of a window, how many tokens are predicted from one of its size)."""
    sizes: Counter[int] = Counter()
    position = 0
    while position < tokens:
        start, end, scored = protocol.span(position, tokens)
        sizes.update(at + 1 - start for at in range(scored, end))
        position = end
    for size, count in sizes.items():
        yield _price(reader, [0] * size, None, rules), count


def _shape(leaf: Any) -> object:
    return (tuple(leaf.shape), leaf.dtype) if isinstance(leaf, Tensor) else leaf


def _price(reader: Reader, ids: list[int], state: Any, rules: str | None) -> Fraction:
    given = torch.tensor([ids], dtype=torch.int64, device=reader.device)
    if reader.layout == "time-first":
        given = given.T
    leaves, form = _pytree.tree_flatten(state)
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    step = _Step(reader, leaves, form)
    counted = score(step, inputs=[given, *tensors], track="wikitext103", rules=rules)
    return counted.operations


class _Step(nn.Module):
    """A model whose state comes in and goes out as tensors, which the counter can follow."""

    def __init__(self, reader: Reader, leaves: list[Any], form: Any) -> None:
        super().__init__()
        self.model = reader.module
        self._omits = reader.omits
        self._leaves, self._form = leaves, form

    def forward(self, tokens: Tensor, *tensors: Tensor) -> list[Tensor]:
        """Logits, and the tensors of the state after."""
        given = iter(tensors)
        leaves = [next(given) if isinstance(leaf, Tensor) else leaf for leaf in self._leaves]
        state = _pytree.tree_unflatten(leaves, self._form)
        found = called(self.model, tokens, state, omits=self._omits)
        return [leaf for leaf in _pytree.tree_leaves(found) if isinstance(leaf, Tensor)]
