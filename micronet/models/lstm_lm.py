"""The MicroNet challenge's WikiText-103 baseline: one LSTM layer, tied embedding, full softmax.

NeurIPS 2019 MicroNet Challenge, rules page (micronet-challenge.github.io): 159M parameters, 318M
operations a token. Biases are left out: both numbers hold without them.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

State = tuple[Tensor, Tensor]


class LstmLanguageModel(nn.Module):
    """Tokens int64 [batch, time] → logits [batch, time, vocabulary].

    The softmax matrix is the embedding, used in place, so that it is one parameter.
    """

    def __init__(self, vocabulary: int = 267_735, embedding: int = 512, hidden: int = 2048) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.lstm = nn.LSTM(embedding, hidden, bias=False, batch_first=True)
        self.projection = nn.Linear(hidden, embedding, bias=False)

    def forward(self, tokens: Tensor, state: State | None = None) -> Tensor:
        """Logits for the token after each position, from ``state`` (zeros if None)."""
        return self.advance(tokens, state)[0]

    def advance(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits and the state behind the last token, to go on with the same text."""
        hidden, state = self.lstm(self.embedding(tokens), state)
        return F.linear(self.projection(hidden), self.embedding.weight), state
