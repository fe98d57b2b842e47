"""What would be wrong in pieces is found: looking ahead, other contexts, lost states."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from micronet.errors import MicronetError
from micronet.evaluation.language.agreement import is_compared
from micronet.evaluation.language.perplexity import evaluate_language
from tests.evaluation.language.models import (
    Cheat,
    Forgetful,
    Memory,
    Recurrent,
    Transformer,
    random_text,
    text,
)

SIZE = 12
CORPUS = random_text(200, SIZE)


def refused(model: nn.Module, **options: object) -> str:
    torch.manual_seed(0)
    with pytest.raises(MicronetError) as caught:
        evaluate_language(model, CORPUS, **options)  # type: ignore[arg-type]
    return caught.value.message


def test_calls_are_compared_ever_more_rarely() -> None:
    assert [call for call in range(70) if is_compared(call)] == [0, 1, 2, 4, 8, 16, 32, 64]


def test_a_model_that_looks_ahead_is_caught_and_the_place_is_named() -> None:
    assert refused(Cheat(SIZE), chunk=8) == (
        "The model looks ahead: its prediction of token 0 changes with the tokens from there on."
    )


class CheatAt(Cheat):
    """Looks ahead at one place of a call only."""

    def __init__(self, size: int, place: int) -> None:
        super().__init__(size)
        self.place = place

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        logits, state = super().forward(tokens, state)
        here = torch.arange(tokens.shape[1]) == self.place
        return logits * here[:, None], state


@pytest.mark.parametrize(
    ("place", "found"),
    [
        (0, "The model looks ahead: its prediction of token 0 "),
        (1, "Token 1 costs "),
        (3, "The model looks ahead: its prediction of token 3 "),
        (5, "Token 5 costs "),
        (6, "The model looks ahead: its prediction of token 6 "),
    ],
)
def test_looking_ahead_is_caught_wherever_a_call_does_it(place: int, found: str) -> None:
    """In calls of 8, exactly where the tokens from 1, 4 and 7 on are changed, and else by the loss."""
    assert refused(CheatAt(SIZE, place), chunk=8).startswith(found)


def test_a_model_that_looks_ahead_has_nothing_to_see_online() -> None:
    """Then it is a model that knows nothing: perplexity 12."""
    found = evaluate_language(Cheat(SIZE), CORPUS, mode="online")
    assert found.perplexity == pytest.approx(12, rel=1e-15)


def test_a_transformer_without_a_mask_looks_ahead_in_strides() -> None:
    torch.manual_seed(0)
    model = Transformer(SIZE, 6, causal=False)
    assert refused(model, mode="strided", stride=2).startswith("The model looks ahead: ")


class LateCheat(nn.Module):
    """Honest until a call holds a certain token twice in a row, somewhere behind the beginning."""

    def __init__(self, size: int, honest_calls: int) -> None:
        super().__init__()
        self.honest, self.cheat = Recurrent(nn.GRU, size), Cheat(size)
        self.honest_calls = honest_calls

    def forward(
        self, tokens: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        seen = torch.zeros(1) if state is None else state[1]
        logits, hidden = self.honest(tokens, None if state is None else state[0])
        if seen.item() >= self.honest_calls:
            logits = logits + self.cheat(tokens)[0]
        return logits, (hidden, seen + tokens.shape[1])


def test_a_model_that_begins_to_look_ahead_later_is_caught_at_the_next_comparison() -> None:
    """From token 70 on, in calls of 8: call 9 begins at 72, and 16 is the next that is compared: 128."""
    message = refused(LateCheat(SIZE, 70), chunk=8)
    assert message.startswith("The model looks ahead: its prediction of token 128 changes")


def test_a_memory_shows_more_of_the_past_to_longer_calls_and_that_is_not_online() -> None:
    """A memory of 16: within the first call of 8 all see the same, and in the third no longer."""
    message = refused(Memory(SIZE, 16), chunk=8)
    assert "nats when up to 8 tokens are read in one call" in message
    assert 16 <= int(message.split()[1]) < 24
    assert evaluate_language(Memory(SIZE, 16), CORPUS, mode="online").tokens == 200


def test_a_state_that_is_not_carried_over_is_found_by_the_token_behind_the_call() -> None:
    torch.manual_seed(0)
    message = refused(Forgetful(Recurrent(nn.LSTM, SIZE)), chunk=8)
    assert message.startswith("Token 8 costs ")


class Jitter(nn.Module):
    """Logits of several tokens are a little different from those of one."""

    def __init__(self, size: int, dtype: torch.dtype, amount: float) -> None:
        super().__init__()
        self.size, self.dtype, self.amount = size, dtype, amount

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert state is None or state.numel()
        logits = torch.zeros(*tokens.shape, self.size, dtype=self.dtype)
        logits[:, :, 0] = self.amount if tokens.numel() > 1 else 0.0
        return logits, tokens[:, -1:]


@pytest.mark.parametrize(
    ("dtype", "amount"),
    [(torch.float32, 2.0**-10), (torch.float16, 2.0**-6), (torch.bfloat16, 2.0**-3)],
)
def test_the_tolerance_is_that_of_the_numbers(dtype: torch.dtype, amount: float) -> None:
    """One of 12 logits off by x costs its own token 11/12 · x: 0.001, 32 · 2⁻¹⁰ and 32 · 2⁻⁷ are allowed."""
    corpus = text([0] * 20, CORPUS.vocabulary)
    assert evaluate_language(Jitter(SIZE, dtype, amount), corpus).tokens == 20
    with pytest.raises(MicronetError, match="when they are read one by one"):
        evaluate_language(Jitter(SIZE, dtype, 4 * amount), corpus)


class Stateless(nn.Module):
    """Says that it advances, and returns no state."""

    def advance(self, tokens: Tensor, state: None = None) -> tuple[Tensor, None]:
        return torch.zeros(*tokens.shape, SIZE), state


def test_a_model_that_advances_must_return_a_state() -> None:
    assert refused(Stateless()) == "Stateless returned logits without a state."


class Remembering(nn.Module):
    """Keeps the last token to itself, where no state shows it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.last = torch.zeros(1, 1, dtype=torch.int64)

    def forward(self, tokens: Tensor) -> Tensor:
        known = torch.cat([self.last, tokens], 1)
        self.last = tokens[:, -1:]
        return nn.functional.one_hot(known[:, :-1], self.size) * 2.0


def test_a_state_that_is_kept_inside_is_refused() -> None:
    assert refused(Remembering(SIZE), context=4).startswith("Remembering answers the same token in")


class NotMultiplying(nn.Module):
    """Answers one token a call only."""

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert state is None or state.numel()
        if tokens.numel() > 1:
            message = "one at a time\nplease"
            raise RuntimeError(message)
        return torch.zeros(1, 1, SIZE), tokens


def test_a_model_that_takes_one_token_only_says_so_in_its_own_words() -> None:
    assert refused(NotMultiplying()) == "NotMultiplying failed on tokens [1, 8]: one at a time"
    assert evaluate_language(NotMultiplying(), CORPUS, mode="online").tokens == 200


class Broken(nn.Module):
    """NaN from the third token on."""

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        before = torch.zeros(1, 1) if state is None else state
        seen = before + torch.arange(tokens.shape[1])
        logits = torch.where(seen[..., None] < 2, 0.0, torch.nan).expand(-1, -1, SIZE)
        return logits, seen[:, -1:] + 1


class BrokenTogether(Broken):
    """NaN only where several tokens are read in one call."""

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        logits, state = super().forward(tokens, state)
        return (logits if tokens.shape[1] > 1 else torch.zeros_like(logits)), state


def test_nan_does_not_agree_with_a_number() -> None:
    assert refused(BrokenTogether(), chunk=8).startswith(
        "Token 2 costs nan nats when up to 8 tokens"
    )


def test_nan_agrees_with_nan_and_is_reported() -> None:
    found = evaluate_language(Broken(), CORPUS, chunk=8)
    assert (found.nonfinite, found.perplexity) == (198, None)
    assert found.first_nonfinite == (2, f"w{CORPUS.ids[2]}")
