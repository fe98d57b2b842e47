"""Small language models of every kind that the evaluator takes, and some that it must not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from micronet.evaluation.language.corpus import Corpus
from micronet.evaluation.language.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NEVER = -math.inf


def words(*tokens: str) -> Vocabulary:
    return Vocabulary((*tokens, "<eos>"), "file")


def numbered(size: int) -> Vocabulary:
    return words(*(f"w{i}" for i in range(size - 1)))


def text(ids: Sequence[int], vocabulary: Vocabulary) -> Corpus:
    return Corpus("text", tuple(ids), 0, 0, 0, f"{len(ids)} tokens", vocabulary)


def random_text(tokens: int, size: int, seed: int = 0) -> Corpus:
    generator = torch.Generator().manual_seed(seed)
    return text(torch.randint(size, (tokens,), generator=generator).tolist(), numbered(size))


class Unigram(nn.Module):
    """The same logits for every token, whatever came before."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Buffer(logits)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.logits.expand(*tokens.shape, -1)


class Bigram(nn.Module):
    """Logits from the token before; the state is that token, for nothing."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Buffer(table)

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert state is None or state.shape == (1, 1)
        return self.table[tokens], tokens[:, -1:]


def branching(rows: Mapping[str, Sequence[str]], vocabulary: Vocabulary) -> Bigram:
    """After a word, each of the words listed for it is as likely as the others; no other can come."""
    table = torch.full((len(vocabulary), len(vocabulary)), NEVER)
    for word, followers in rows.items():
        for follower in followers:
            table[vocabulary.index[word], vocabulary.index[follower]] = 0.0
    return Bigram(table)


class Recurrent(nn.Module):
    """nn.LSTM or nn.GRU, batch first, forward with a state."""

    def __init__(self, kind: type[nn.LSTM | nn.GRU], size: int, width: int = 8) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, width)
        self.core = kind(width, width, batch_first=True)
        self.out = nn.Linear(width, size)

    def forward(self, tokens: Tensor, state: object = None) -> tuple[Tensor, object]:
        hidden, state = self.core(self.embedding(tokens), state)
        return self.out(hidden), state


class WordModel(nn.Module):
    """Time first, its own initial state, one row a token, log-probabilities."""

    def __init__(self, size: int, width: int = 8) -> None:
        super().__init__()
        self.width = width
        self.encoder = nn.Embedding(size, width)
        self.rnn = nn.LSTM(width, width, num_layers=2, dropout=0.5)
        self.decoder = nn.Linear(width, size)

    def init_hidden(self, sequences: int) -> tuple[Tensor, Tensor]:
        zeros = torch.zeros(2, sequences, self.width)
        return zeros, zeros.clone()

    def forward(
        self, tokens: Tensor, hidden: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        assert hidden[0].shape == (2, 1, self.width)
        found, hidden = self.rnn(self.encoder(tokens), hidden)
        rows = self.decoder(found).flatten(0, 1)
        return torch.log_softmax(rows, -1), hidden


class SwitchedTime(nn.Module):
    """A batch-first recurrent model that wants and gives time first; its state may be None."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, tokens: Tensor, state: object = None) -> tuple[Tensor, object]:
        found, state = self.inner(tokens.T, state)
        return found.transpose(0, 1), state


class Qrnn(nn.Module):
    """A quasi-recurrent layer: a convolution over two tokens, then a gated running mean.

    The state is a dictionary: the last embedding (the convolution's left edge) and the mean.
    """

    def __init__(self, size: int, width: int = 8) -> None:
        super().__init__()
        self.width = width
        self.embedding = nn.Embedding(size, width)
        self.gates = nn.Conv1d(width, 2 * width, 2)
        self.out = nn.Linear(width, size)

    def advance(
        self, tokens: Tensor, state: dict[str, Tensor] | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        seen = self.embedding(tokens).transpose(1, 2)
        if state is None:
            state = {
                "last": seen.new_zeros(1, self.width, 1),
                "mean": seen.new_zeros(1, self.width),
            }
        gates = self.gates(torch.cat([state["last"], seen], 2))
        mean, means = state["mean"], []
        for candidate, forget in zip(*(part.unbind(2) for part in gates.chunk(2, 1)), strict=True):
            mean = torch.lerp(candidate.tanh(), mean, forget.sigmoid())
            means.append(mean)
        return self.out(torch.stack(means, 1)), {"last": seen[:, :, -1:], "mean": mean}


class Transformer(nn.Module):
    """Causal, without a state; it has positions for ``context`` tokens."""

    def __init__(
        self, size: int, context: int, *, batch_first: bool = True, causal: bool = True
    ) -> None:
        super().__init__()
        self.context, self.batch_first, self.causal = context, batch_first, causal
        self.embedding = nn.Embedding(size, 8)
        self.positions = nn.Embedding(context, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3, batch_first=batch_first)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(8, size)

    def forward(self, tokens: Tensor) -> Tensor:
        time = tokens.shape[1 if self.batch_first else 0]
        positions = self.positions(torch.arange(time))
        seen = self.embedding(tokens) + (positions if self.batch_first else positions.unsqueeze(1))
        mask = torch.full((time, time), NEVER).triu(1) if self.causal else None
        found: Tensor = self.out(self.layers(seen, mask=mask))
        return found


class Memory(nn.Module):
    """Each prediction from the last ``length`` embeddings before a call and all within it.

    So a longer call sees more of the past: segments with a memory, as Transformer-XL has them.
    """

    def __init__(self, size: int, length: int) -> None:
        super().__init__()
        self.length = length
        self.embedding = nn.Embedding(size, 8)
        self.out = nn.Linear(8, size)

    def forward(self, tokens: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor]:
        seen = self.embedding(tokens)
        before = 0 if memory is None else memory.shape[1]
        whole = seen if memory is None else torch.cat([memory, seen], 1)
        means = whole.cumsum(1) / torch.arange(1, whole.shape[1] + 1).view(1, -1, 1)
        return self.out(means[:, before:]), whole[:, -self.length :]


class Cheat(nn.Module):
    """Says the token that comes next, wherever the call shows it, and knows nothing otherwise."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert state is None or state.numel()
        logits = torch.zeros(*tokens.shape, self.size)
        logits[:, :-1].scatter_(2, tokens[:, 1:, None], 20.0)
        return logits, tokens[:, -1:]


class Forgetful(nn.Module):
    """Right within a call, but what it returns as its state is that of the first token."""

    def __init__(self, inner: Recurrent) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, tokens: Tensor, state: object = None) -> tuple[Tensor, object]:
        found, _ = self.inner(tokens, state)
        return found, self.inner(tokens[:, :1], state)[1]
