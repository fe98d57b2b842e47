"""What a token costs on average: one step with its state, or the window it is predicted from."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from micronet.errors import MicronetError
from micronet.evaluation.language import operations as module
from micronet.evaluation.language.operations import operations_per_token
from micronet.evaluation.language.protocol import Protocol
from micronet.models.lstm_lm import LstmLanguageModel
from micronet.scoring.api import score
from tests.evaluation.language.models import Memory, Recurrent, Transformer

ONLINE = Protocol("online")


def price(model: nn.Module, protocol: Protocol, tokens: int, **options: Any) -> Fraction:
    return operations_per_token(
        model, protocol, tokens=tokens, vocabulary=10, rules="macs", **options
    )


@pytest.mark.parametrize("protocol", [ONLINE, Protocol("chunked", chunk=64)])
def test_a_model_with_a_state_costs_one_step_however_it_was_read(protocol: Protocol) -> None:
    """LSTM 4·5·(3 + 5), projection 5·3, softmax 3·10; the embedding is looked up."""
    model = LstmLanguageModel(10, embedding=3, hidden=5)
    assert price(model, protocol, 245_569) == 4 * 5 * (3 + 5) + 5 * 3 + 3 * 10 == 205
    plain = score(model, inputs=[torch.zeros(1, 1, dtype=torch.int64)], rules="macs")
    assert price(model, protocol, 245_569) == plain.operations


def test_the_challenges_rules_are_the_default() -> None:
    model = Recurrent(nn.GRU, 10)
    found = operations_per_token(model, ONLINE, tokens=3, vocabulary=10)
    named = operations_per_token(model, ONLINE, tokens=3, vocabulary=10, rules="micronet2019")
    assert found == named > price(model, ONLINE, 3)


class Attending(nn.Module):
    """One attention of width 4 over the last ``length`` tokens, whose embeddings are the state."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length
        self.embedding = nn.Embedding(10, 4)
        self.out = nn.Linear(4, 10, bias=False)

    def forward(self, tokens: Tensor, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
        seen = self.embedding(tokens)
        whole = seen if kept is None else torch.cat([kept, seen], 1)
        weights = torch.softmax(seen @ whole.transpose(1, 2), -1)
        return self.out(weights @ whole), whole[:, 1 - self.length :]


def test_a_growing_state_is_priced_at_each_of_its_sizes() -> None:
    """A token that attends to n tokens costs 4n + 4n, and 4·10 for its logits.

    n is 1, 2, 3, 4 and 5, and 5 for all that follow: (1 + 2 + 3 + 4 + 5 + 15 · 5) / 20 = 9/2.
    """
    assert price(Attending(5), ONLINE, 20) == 8 * Fraction(9, 2) + 40
    assert price(Attending(5), ONLINE, 3) == 8 * 2 + 40
    assert price(Attending(5), ONLINE, 1) == 8 + 40


def test_a_state_that_never_settles_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FORMS", 4)
    assert price(Attending(4), ONLINE, 100) > 0
    with pytest.raises(MicronetError, match="another form after each of 4 tokens"):
        price(Attending(100), ONLINE, 100)


class Windows(nn.Module):
    """The logits of all tokens of a window, each 4·10 multiply-accumulates."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.out = nn.Linear(4, 10, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.out(self.embedding(tokens))
        return found


def test_a_window_is_paid_for_by_every_token_predicted_from_it() -> None:
    """Windows of 1, 2, 3 and 3 … tokens: (1 + 2 + 8 · 3) / 10 = 27/10."""
    assert price(Windows(), Protocol("sliding", context=3), 10) == 40 * Fraction(27, 10)


def test_a_stride_is_paid_for_as_if_each_token_came_alone() -> None:
    """Contexts 1, 2, 3 of the first window, then 2, 3, 2, 3, 2, 3, and 3 for what is left: 24/10."""
    strided = Protocol("strided", context=3, stride=2)
    assert price(Windows(), strided, 10) == 40 * Fraction(1 + 2 + 3 + 3 * (2 + 3) + 3, 10)


def test_time_may_come_first() -> None:
    sliding = Protocol("sliding", context=4)
    batch_first = price(Transformer(10, 4), sliding, 9)
    other = Transformer(10, 4, batch_first=False)
    assert price(other, sliding, 9, layout="time-first") == batch_first != price(other, sliding, 9)


def test_the_model_is_left_as_it_was() -> None:
    model = Memory(10, 3)
    before = dict(vars(model))
    price(model, ONLINE, 9)
    assert vars(model) == before
    assert model.training
