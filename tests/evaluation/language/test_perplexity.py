"""Models whose perplexity is known exactly, and the real test set against an independent count."""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

from micronet.errors import MicronetError
from micronet.evaluation.language.corpus import TEST_DIGEST, TEST_TOKENS, read_corpus
from micronet.evaluation.language.perplexity import evaluate_language
from micronet.evaluation.language.vocabulary import Vocabulary
from micronet.scoring.tracks import track
from tests.evaluation.language.models import (
    Bigram,
    Recurrent,
    Unigram,
    branching,
    numbered,
    random_text,
    text,
    words,
)

if TYPE_CHECKING:
    from micronet.evaluation.language.corpus import Corpus


@pytest.mark.parametrize("size", [2, 5, 100, 1000])
def test_a_model_that_knows_nothing_has_the_perplexity_of_the_vocabulary(size: int) -> None:
    """Each of N tokens costs log V; the exact mean of equal numbers is that number: exp(log V)."""
    corpus = random_text(50, size)
    found = evaluate_language(Unigram(torch.zeros(size)), corpus, context=1)
    assert found.nats == 50 * Fraction(math.log(size))
    assert found.perplexity == math.exp(math.log(size))
    assert round(found.perplexity, 9) == size
    assert found.tokens == 50


CATS = words("cats", "dogs", "eat", "sleep", ".")
MAY_FOLLOW = {
    "<eos>": ["cats", "dogs"],
    "cats": ["eat", "sleep"],
    "dogs": ["eat", "sleep"],
    "eat": ["cats", "dogs", "eat", "."],
    "sleep": ["."],
    ".": ["cats", "dogs", "eat", "sleep", "<eos>", ".", "cats", "dogs"],
}


def sentence(said: str) -> Corpus:
    return text([CATS.index[word] for word in said.split()], CATS)


@pytest.mark.parametrize("mode", ["online", "chunked"])
def test_a_bigram_model_has_the_geometric_mean_of_its_branchings(mode: Any) -> None:
    """cats of 2 (after <eos>), eat of 2, dogs of 4, sleep of 2, . of 1, <eos> of 6: ⁶√(2·2·4·2·1·6)."""
    found = evaluate_language(
        branching(MAY_FOLLOW, CATS), sentence("cats eat dogs sleep . <eos>"), mode=mode
    )
    choices = [2, 2, 4, 2, 1, 6]
    assert found.nats == sum(Fraction(math.log(choice)) for choice in choices)
    assert found.perplexity == pytest.approx(math.prod(choices) ** (1 / 6), rel=1e-15)


def test_the_perplexity_of_2_and_8_choices_is_4() -> None:
    """√(2 · 8), and no rounding at all: (log 2 + log 8) / 2 is the float64 next to log 4."""
    table = {"<eos>": ["a", "b"], "a": ["a", "b", "c", "d", "e", "f", "g", "<eos>"]}
    vocabulary = words(*"abcdefg")
    model = branching(table, vocabulary)
    found = evaluate_language(model, text([0, 6], vocabulary), mode="online")
    assert found.perplexity == 4.0


def test_the_first_token_is_predicted_from_one_eos() -> None:
    """Only <eos> has followers here, and the text has one token."""
    vocabulary = words("a", "b", "c")
    model = branching({"<eos>": ["a", "c"]}, vocabulary)
    found = evaluate_language(model, text([2], vocabulary), mode="online")
    assert (found.tokens, found.perplexity) == (1, 2.0)
    assert found.notes == ("the first token is predicted from one <eos>",)


def test_a_token_that_cannot_come_leaves_no_perplexity_and_is_named() -> None:
    """. after eat at position 2 is fine, cats after sleep at position 4 and after cats are not."""
    corpus = sentence("cats eat . sleep cats cats <eos>")
    found = evaluate_language(branching(MAY_FOLLOW, CATS), corpus, mode="online")
    assert (found.nonfinite, found.first_nonfinite) == (3, (4, "cats"))
    assert (found.perplexity, found.nats) == (None, None)
    assert found.notes[1] == (
        "3 losses are not finite, the first at token 4 ('cats'): there is no perplexity"
    )


def test_a_perplexity_that_float64_cannot_hold_is_none_and_does_not_qualify() -> None:
    logits = torch.tensor([0.0, 1000.0])
    corpus = text([0] * 3, numbered(2))
    found = evaluate_language(Unigram(logits), corpus, context=1)
    assert found.nats == 3000
    assert found.perplexity is None
    assert found.notes[1:] == (
        "the perplexity is beyond float64",
        "worse than guessing: is the vocabulary in the model's order?",
    )
    assert certified(replace(found, complete=True)) is False


def certified(found: Any) -> bool | None:
    verdict: bool | None = replace(found, tokens=TEST_TOKENS).qualifies(track("wikitext103"))
    return verdict


def test_the_threshold_is_35_without_rounding_and_for_the_whole_test_set_alone() -> None:
    found = evaluate_language(Unigram(torch.zeros(4)), random_text(5, 4), context=1)
    assert not found.complete
    assert found.qualifies(track("wikitext103")) is None
    whole = replace(found, complete=True)
    assert certified(replace(whole, perplexity=35.0)) is True
    assert certified(replace(whole, perplexity=math.nextafter(35.0, 36.0))) is False
    assert certified(replace(whole, perplexity=None)) is False
    longer = replace(found, tokens=TEST_TOKENS + 1)
    assert longer.qualifies(track("wikitext103")) is None


def test_the_result_says_what_it_is_of() -> None:
    model, corpus = Unigram(torch.zeros(4)), random_text(5, 4)
    found = evaluate_language(model, corpus, context=3)
    assert (found.protocol.mode, found.protocol.context) == ("sliding", 3)
    assert (found.order, found.vocabulary, found.unknown) == ("file", 4, 0)
    assert found.corpus_digest == corpus.digest
    assert found.vocabulary_digest == corpus.vocabulary.digest
    other = evaluate_language(Unigram(torch.ones(4)), corpus, context=3)
    assert other.model_digest != found.model_digest
    assert replace(other, model_digest=found.model_digest) == found


def test_unknown_words_are_noted() -> None:
    corpus = replace(random_text(5, 4), unknown=2)
    found = evaluate_language(Unigram(torch.zeros(4)), corpus, context=3)
    assert found.notes[1] == "read as <unk>, since the vocabulary lacks them: 2 tokens"


def test_progress_ends_with_all_and_has_the_perplexity_so_far() -> None:
    told: list[tuple[int, int, float]] = []
    model = branching({"<eos>": ["a", "b"], "a": ["a"]}, words("a", "b"))
    corpus = text([0, 0, 0], words("a", "b"))
    evaluate_language(model, corpus, mode="online", progress=lambda *now: told.append(now))
    expected = [2.0, math.exp(math.log(2) / 2), math.exp(math.log(2) / 3)]
    assert told == [(i + 1, 3, value) for i, value in enumerate(expected)]


def test_the_model_comes_back_in_the_modes_it_had() -> None:
    model = Recurrent(nn.LSTM, 6)
    model.core.training = False
    before = [(name, module.training) for name, module in model.named_modules()]
    evaluate_language(model, random_text(9, 6))
    assert [(name, module.training) for name, module in model.named_modules()] == before
    assert torch._C._get_mkldnn_enabled()
    assert torch.is_grad_enabled()
    with pytest.raises(MicronetError):
        evaluate_language(model, random_text(9, 7))
    assert [(name, module.training) for name, module in model.named_modules()] == before


class Telling(nn.Module):
    """Returns what it is told to."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, tokens: Tensor) -> Any:
        return self.answer(tokens)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda t: torch.zeros(*t.shape, 6), "[1, 1, 6] for 1 tokens, expected [1, 1, 5]"),
        (lambda t: torch.zeros(*t.shape, 6), "the vocabulary has 5 tokens"),
        (lambda t: torch.zeros(*t.shape, 5).long(), "returned torch.int64, expected logits"),
        (lambda _: torch.zeros(2, 1, 5), "[2, 1, 5] for tokens [1, 1], expected [1, 1, 5]"),
        (lambda _: [], "Telling returned list"),
        (lambda _: None, "Telling returned NoneType"),
        (lambda t: {"logits": t}, "Telling returned dict"),
        (lambda t: t @ t.float(), "Telling failed on tokens [1, 1]: "),
        (lambda t: torch.full((*t.shape, 5), 0.2), "The model returned probabilities"),
        (lambda t: torch.randn(*t.shape, 5), "answers the same token in two ways"),
    ],
)
def test_answers_that_are_no_logits_are_refused(answer: Any, message: str) -> None:
    with pytest.raises(MicronetError) as caught:
        evaluate_language(Telling(answer), random_text(4, 5), context=2)
    assert message in caught.value.message


def test_a_model_without_weights_is_not_asked() -> None:
    with torch.device("meta"):
        model = Recurrent(nn.GRU, 4)
    with pytest.raises(MicronetError, match="Recurrent has no weights, only their shapes"):
        evaluate_language(model, random_text(4, 4))


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (Unigram(torch.zeros(4)), {}, "it must be said how many tokens it sees"),
        (Unigram(torch.zeros(4)), {"mode": "online"}, "Mode 'online' needs a state, and Unigram"),
        (Bigram(torch.zeros(4, 4)), {"context": 3}, "Mode 'chunked' has no context, found 3"),
        (
            Bigram(torch.zeros(4, 4)),
            {"chunk": 2**27},
            "134217728 tokens a call take too much memory",
        ),
    ],
)
def test_options_that_do_not_fit_the_model_are_refused(
    model: nn.Module, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(MicronetError) as caught:
        evaluate_language(model, random_text(4, 4), **options)
    assert message in caught.value.message


def test_the_real_test_set_through_a_unigram_model() -> None:
    """The 999 most frequent words, <eos> and <unk>, by their own frequencies.

    The perplexity is exp(−Σ c/N · log(c/N)), counted here with no help of the evaluator's. Each of the
    few logarithms and sums is right to 2⁻⁵², each loss below 16, so both agree to 16 · 8 · 2⁻⁵².
    """
    folder = os.environ.get("MICRONET_TEST_DATA")
    path = Path(folder or ".") / "wikitext103_test.txt"
    if folder is None or not path.is_file():
        pytest.skip("MICRONET_TEST_DATA is not set, or has no wikitext103_test.txt")
    lines = path.read_text(encoding="utf-8").splitlines()
    seen = Counter(word for line in lines for word in line.split())
    seen["<eos>"] = len(lines)
    kept = dict(seen.most_common(1001))
    kept["<unk>"] += sum(seen.values()) - sum(kept.values())
    count = sum(kept.values())
    assert count == 241_211 + 4_358 == 245_569
    entropy = math.fsum(c * (math.log(count) - math.log(c)) for c in kept.values()) / count

    corpus = read_corpus(path, Vocabulary(tuple(kept), "file"))
    logits = torch.tensor([float(c) for c in kept.values()], dtype=torch.float64).log()
    table = Chained(logits)
    found = evaluate_language(table, corpus, chunk=512)
    assert (found.tokens, found.corpus_digest) == (245_569, TEST_DIGEST)
    assert found.perplexity is not None
    assert abs(math.log(found.perplexity) - entropy) <= 16 * 8 * 2.0**-52
    assert not found.complete
    assert found.qualifies(track("wikitext103")) is None


class Chained(Unigram):
    """A unigram model with a state, so that it can be read in long pieces."""

    def advance(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert state is None or state.numel() == 1
        return self(tokens), tokens[:, -1]
