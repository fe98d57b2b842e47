"""What an evaluation found. No torch here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

    from micronet.evaluation.language.corpus import Corpus
    from micronet.evaluation.language.losses import Totals
    from micronet.evaluation.language.protocol import Protocol
    from micronet.scoring.tracks import Track


@dataclass(frozen=True)
class LanguageResult:
    """The perplexity of a model on a text: exp(``nats`` / ``tokens``), and how it was measured.

    ``nats`` is the exact sum of −log p over all tokens; it and ``perplexity`` are None where a loss is
    not finite (``nonfinite`` of them, the first at ``first_nonfinite`` = position and token), and
    ``perplexity`` alone where float64 cannot hold it. ``order`` is the vocabulary's: "file",
    "appearance" or "frequency". ``layout`` is the axis of time, "either" where one token is read.
    ``complete`` says that the text is all of WikiText-103's test set over the track's vocabulary.
    ``model_digest`` is None where the weights are packed.
    The same on one machine with the same number of threads, however often it was stopped.
    """

    tokens: int
    nats: Fraction | None
    perplexity: float | None
    nonfinite: int
    first_nonfinite: tuple[int, str] | None
    protocol: Protocol
    layout: str
    order: str
    vocabulary: int
    unknown: int
    complete: bool
    recognised: str
    corpus_digest: str
    vocabulary_digest: str
    model_digest: str | None
    notes: tuple[str, ...]

    def qualifies(self, track: Track) -> bool | None:
        """Whether the unrounded perplexity is within the track's threshold; None for another text.

        A perplexity that is no number does not qualify.
        """
        if not self.complete:
            return None
        if self.perplexity is None:
            return False
        return track.qualifies_at(self.perplexity, self.tokens)


def result_of(
    corpus: Corpus, protocol: Protocol, totals: Totals, *, layout: str, model_digest: str | None
) -> LanguageResult:
    """The result of ``totals``, which are of the whole text."""
    first = totals.first_nonfinite
    named = None
    if first is not None:
        named = (first, corpus.vocabulary.tokens[corpus.ids[first]])
    return LanguageResult(
        tokens=totals.tokens,
        nats=None if totals.nonfinite else totals.nats,
        perplexity=totals.perplexity,
        nonfinite=totals.nonfinite,
        first_nonfinite=named,
        protocol=protocol,
        layout="either" if protocol.window == 1 else layout,
        order=corpus.vocabulary.order,
        vocabulary=len(corpus.vocabulary),
        unknown=corpus.unknown,
        complete=corpus.complete,
        recognised=corpus.recognised,
        corpus_digest=corpus.digest,
        vocabulary_digest=corpus.vocabulary.digest,
        model_digest=model_digest,
        notes=_notes(corpus, totals),
    )


def _notes(corpus: Corpus, totals: Totals) -> tuple[str, ...]:
    notes = ["the first token is predicted from one <eos>"]
    if totals.compared:
        notes.append(
            f"{totals.compared:,} tokens were predicted one by one as well, at most "
            f"{totals.largest_difference:.1e} nats apart; none changed with what follows it"
        )
    if totals.first_nonfinite is not None:
        token = corpus.vocabulary.tokens[corpus.ids[totals.first_nonfinite]]
        notes.append(
            f"{totals.nonfinite:,} losses are not finite, the first at token "
            f"{totals.first_nonfinite:,} ({token[:40]!r}): there is no perplexity"
        )
    elif totals.perplexity is None:
        notes.append("the perplexity is beyond float64")
    if corpus.unknown:
        notes.append(f"read as <unk>, since the vocabulary lacks them: {corpus.unknown:,} tokens")
    if not totals.nonfinite and totals.nats > totals.tokens * math.log(len(corpus.vocabulary)):
        order = corpus.vocabulary.order
        notes.append(
            f"worse than guessing: is the vocabulary in the model's order? It is by {order}"
            if order != "file"
            else "worse than guessing: is the vocabulary in the model's order?"
        )
    return tuple(notes)
