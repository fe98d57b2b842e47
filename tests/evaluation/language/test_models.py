"""Every kind of model is read alike: one by one, in pieces of any length, time on either axis."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

from micronet.errors import MicronetError
from micronet.evaluation.language.perplexity import evaluate_language
from micronet.evaluation.language.reader import reader_of
from micronet.models.lstm_lm import LstmLanguageModel
from tests.evaluation.language.models import (
    Bigram,
    Memory,
    Qrnn,
    Recurrent,
    SwitchedTime,
    Transformer,
    Unigram,
    WordModel,
    random_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from micronet.evaluation.language.corpus import Corpus

SIZE, TOKENS = 20, 150
CORPUS = random_text(TOKENS, SIZE)
STATEFUL: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "the track's baseline": (lambda: LstmLanguageModel(SIZE, 6, 10), "batch-first"),
    "LSTM": (lambda: Recurrent(nn.LSTM, SIZE), "batch-first"),
    "GRU": (lambda: Recurrent(nn.GRU, SIZE), "batch-first"),
    "QRNN": (lambda: Qrnn(SIZE), "batch-first"),
    "time first": (lambda: SwitchedTime(Recurrent(nn.GRU, SIZE)), "time-first"),
    "word language model": (lambda: WordModel(SIZE), "time-first"),
    "bigram": (lambda: Bigram(torch.randn(SIZE, SIZE)), "batch-first"),
}


def made(build: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return build()


def by_hand(model: nn.Module, corpus: Corpus) -> float:
    """Mean loss by the plainest loop, in float64: one sequence, one token at a time."""
    model = model.double().eval()
    step: Any = getattr(model, "advance", model)
    state = model.init_hidden(1) if hasattr(model, "init_hidden") else None  # type: ignore[operator]
    if isinstance(state, tuple):
        state = tuple(part.double() for part in state)
    total, token = 0.0, corpus.end
    for target in corpus.ids:
        with torch.no_grad():
            logits, state = step(torch.tensor([[token]]), state)
        total -= float(torch.log_softmax(logits.reshape(-1), 0)[target])
        token = target
    return total / len(corpus.ids)


@pytest.mark.parametrize("name", STATEFUL)
def test_a_model_with_a_state_has_one_perplexity(name: str) -> None:
    """In pieces of 1, 7 and 64; 32-bit logits of about 1 are right to 2⁻²⁰, however they are rounded."""
    build, layout = STATEFUL[name]
    model = made(build)
    online = evaluate_language(model, CORPUS, mode="online")
    assert (online.layout, online.tokens) == ("either", TOKENS)
    for chunk in (7, 64):
        chunked = evaluate_language(model, CORPUS, chunk=chunk)
        assert chunked.layout == layout
        assert abs(log(chunked) - log(online)) < 2.0**-20
    assert abs(log(online) - by_hand(model, CORPUS)) < 2.0**-20


def log(found: Any) -> float:
    return math.log(found.perplexity)


def test_the_default_is_64_tokens_a_call_and_says_what_was_compared() -> None:
    """Calls 0, 1 and 2 of 3: 64 + 64 + 22 tokens, and one behind each of the first two."""
    found = evaluate_language(made(lambda: Recurrent(nn.LSTM, SIZE)), CORPUS)
    assert (found.protocol.mode, found.protocol.chunk) == ("chunked", 64)
    assert found.protocol.sentence() == "read 64 tokens a call, the state carried over"
    assert found.notes[1].startswith("152 tokens were predicted one by one as well, at most ")


@pytest.mark.parametrize("batch_first", [True, False])
def test_a_transformer_slides_a_window_over_the_text(*, batch_first: bool) -> None:
    """Each token from the 6 inputs before it, by hand: the last prediction for that window alone."""
    model = made(lambda: Transformer(SIZE, 6, batch_first=batch_first))
    found = evaluate_language(model, CORPUS)
    assert (found.protocol.mode, found.protocol.context) == ("sliding", 6)
    assert found.layout == ("batch-first" if batch_first else "time-first")
    stream = (CORPUS.end, *CORPUS.ids)
    total = 0.0
    model = model.eval()
    for at, target in enumerate(CORPUS.ids):
        window = torch.tensor([stream[max(0, at - 5) : at + 1]])
        with torch.no_grad():
            row = model(window if batch_first else window.T).reshape(-1, SIZE)[-1]
        total -= float(torch.log_softmax(row.double(), 0)[target])
    assert abs(log(found) - total / TOKENS) < 2.0**-40


def test_a_stride_of_one_finds_what_sliding_finds_and_a_longer_one_less_context() -> None:
    model = made(lambda: Transformer(SIZE, 6))
    slid = evaluate_language(model, CORPUS)
    found = [evaluate_language(model, CORPUS, mode="strided", stride=each) for each in (1, 3, 6)]
    assert abs(log(found[0]) - log(slid)) < 2.0**-20
    assert len({each.perplexity for each in found}) == 3
    assert found[1].protocol.sentence() == (
        "windows of 6 tokens moved on by 3: each token predicted from up to 6"
    )
    assert "predicted one by one as well" in found[1].notes[1]


def test_a_transformer_that_sees_all_of_its_window_may_slide() -> None:
    """The window ends where the next token begins, so there is nothing to look ahead to."""
    model = made(lambda: Transformer(SIZE, 6, causal=False))
    assert evaluate_language(model, CORPUS).tokens == TOKENS


def test_a_model_with_a_state_may_slide_too_and_begins_anew_in_every_window() -> None:
    """The word language model, whose first state is its own: by hand, 5 tokens at most at a time."""
    model = made(lambda: WordModel(SIZE))
    assert isinstance(model, WordModel)
    found = evaluate_language(model, CORPUS, mode="sliding", context=5)
    stream = (CORPUS.end, *CORPUS.ids)
    total = 0.0
    model.eval()
    for at, target in enumerate(CORPUS.ids):
        window = torch.tensor([stream[max(0, at - 4) : at + 1]]).T
        with torch.no_grad():
            rows, _ = model(window, model.init_hidden(1))
        total -= float(torch.log_softmax(rows[-1].double(), 0)[target])
    assert abs(log(found) - total / TOKENS) < 2.0**-20


class LastOnly(nn.Module):
    """The last token's logits alone, and no loss without targets."""

    def __init__(self, inner: Transformer) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, tokens: Tensor, targets: Tensor | None = None) -> tuple[Tensor, None]:
        assert targets is None
        return self.inner(tokens)[:, -1:], None


def test_a_window_may_answer_for_its_last_token_alone() -> None:
    model = made(lambda: LastOnly(Transformer(SIZE, 6)))
    whole = made(lambda: Transformer(SIZE, 6))
    short = evaluate_language(model, CORPUS, context=6)
    full = evaluate_language(whole, CORPUS)
    assert short.nats == full.nats


class Masked(nn.Module):
    """A second argument that is a mask, and a second result that is no state."""

    def __init__(self, inner: Transformer) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, tokens: Tensor, src_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert src_mask is None
        return self.inner(tokens), torch.ones(1)


def test_a_mask_is_not_taken_for_a_state() -> None:
    plain = evaluate_language(made(lambda: Transformer(SIZE, 6)), CORPUS)
    masked = evaluate_language(made(lambda: Masked(Transformer(SIZE, 6))), CORPUS, context=6)
    assert masked.nats == plain.nats


def test_log_probabilities_will_do() -> None:
    """The word language model with and without its last line; 32-bit values near 3 keep 2⁻²⁰."""
    model = made(lambda: WordModel(SIZE))
    bare = made(lambda: WordModel(SIZE))
    assert isinstance(bare, WordModel)
    bare.forward = lambda tokens, hidden: _undecorated(bare, tokens, hidden)  # type: ignore[method-assign]
    with_them, without = (evaluate_language(each, CORPUS) for each in (model, bare))
    assert abs(log(with_them) - log(without)) < 2.0**-20


def _undecorated(model: WordModel, tokens: Tensor, hidden: Any) -> Any:
    found, hidden = model.rnn(model.encoder(tokens), hidden)
    return model.decoder(found).flatten(0, 1), hidden


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_types_of_numbers_are_read_too(dtype: torch.dtype) -> None:
    model = made(lambda: Qrnn(SIZE)).to(dtype)
    reference = evaluate_language(made(lambda: Qrnn(SIZE)), CORPUS)
    assert abs(log(evaluate_language(model, CORPUS)) - log(reference)) < 2.0**-6


class Cache(nn.Module):
    """The sum of all embeddings so far, kept in one tensor that each call writes to."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, 8)
        self.out = nn.Linear(8, size)

    def advance(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        state = self.out.weight.new_zeros(1, 1, 8) if state is None else state
        sums = state + self.embedding(tokens).cumsum(1)
        return self.out(sums), state.copy_(sums[:, -1:])


def test_a_state_may_be_written_to_by_the_model() -> None:
    model = made(lambda: Cache(SIZE)).double()
    online = evaluate_language(model, CORPUS, mode="online")
    assert abs(log(evaluate_language(model, CORPUS, chunk=16)) - log(online)) < 2.0**-20


def test_a_state_keeps_nothing_alive_but_itself() -> None:
    """The last embedding of a QRNN is a view of the whole call's, across its rows."""
    reader = reader_of(made(lambda: Qrnn(SIZE)).eval(), SIZE)
    _, state = reader.read([1, 2, 3], None)
    assert {key: tensor.untyped_storage().nbytes() for key, tensor in state.items()} == {
        "last": 8 * 4,
        "mean": 8 * 4,
    }
    assert all(tensor.is_contiguous() for tensor in state.values())


def test_a_memory_that_a_call_does_not_exceed_reads_alike_in_pieces() -> None:
    """150 tokens never fill a memory of 200, so that a piece sees what a single token sees."""
    model = made(lambda: Memory(SIZE, 200))
    online = evaluate_language(model, CORPUS, mode="online")
    assert abs(log(evaluate_language(model, CORPUS, chunk=16)) - log(online)) < 2.0**-20


def test_a_given_layout_is_not_doubted_but_its_predictions_are() -> None:
    model = made(lambda: SwitchedTime(Unrolled(SIZE)))
    found = evaluate_language(model, CORPUS, layout="time-first")
    assert found == evaluate_language(model, CORPUS)
    with pytest.raises(MicronetError, match="when they are read one by one"):
        evaluate_language(model, CORPUS, layout="batch-first")


class Unrolled(nn.Module):
    """A running mean over the text that takes any number of sequences, also for a state of one."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, 8)
        self.out = nn.Linear(8, size)

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        sums = self.embedding(tokens).cumsum(1) + (0 if state is None else state)
        return self.out(sums), sums[:, -1:].mean(0, keepdim=True)


def test_one_token_is_text_enough() -> None:
    corpus = random_text(1, SIZE)
    for model in (made(lambda: Recurrent(nn.LSTM, SIZE)), made(lambda: Transformer(SIZE, 6))):
        assert evaluate_language(model, corpus).tokens == 1
    zeros = evaluate_language(Unigram(torch.zeros(SIZE)), corpus, context=1)
    assert replace(zeros, notes=()).perplexity == math.exp(math.log(SIZE))
