"""Perplexity by the protocol of the WikiText-103 track: one sequence, every token predicted once.

The model reads <eos>, then the text without its last token, and what it says of each next token is
scored: the first token is predicted from the state behind one <eos>.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from micronet.errors import MicronetError
from micronet.evaluation.language import agreement
from micronet.evaluation.language.journal import Journal
from micronet.evaluation.language.protocol import CHUNK_TOKENS, STATEFUL, Mode, Protocol
from micronet.evaluation.language.reader import Reader, reader_of
from micronet.evaluation.language.result import result_of
from micronet.evaluation.language.run import Run
from micronet.evaluation.language.settings import evaluating
from micronet.evaluation.state_digest import state_sha256

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import nn

    from micronet.evaluation.language.corpus import Corpus
    from micronet.evaluation.language.reader import Layout
    from micronet.evaluation.language.result import LanguageResult

SAVE_SECONDS: Final = 10.0
MAX_LOGITS: Final = 2**28  # of one call; a gibibyte in 32 bits


def evaluate_language(
    model: nn.Module,
    corpus: Corpus,
    *,
    mode: Mode | None = None,
    context: int | None = None,
    chunk: int | None = None,
    stride: int | None = None,
    layout: Layout | None = None,
    journal: Path | None = None,
    save_seconds: float = SAVE_SECONDS,
    progress: Callable[[int, int, float], None] | None = None,
) -> LanguageResult:
    """The perplexity of ``model`` (see ``reader``) on ``corpus``, read as ``protocol`` describes.

    ``mode`` defaults to chunked for a model with a state, and to sliding for one without; ``context``
    to the module's own attribute of that name. ``layout`` is found where None. ``journal`` is the file
    that is kept up to date every ``save_seconds``, and gone on from if it is there; it stays when all
    is done. ``progress`` gets the tokens done, of how many, and the perplexity so far (infinite where
    it is no number). The model's modes are as before afterwards.

    MicronetError if the model cannot be asked, looks ahead, or predicts otherwise token by token, and
    if the journal belongs to something else.
    """
    with evaluating(model):
        reader = reader_of(model, len(corpus.vocabulary))
        protocol = chosen_protocol(reader, mode=mode, context=context, chunk=chunk, stride=stride)
        stream = (corpus.end, *corpus.ids)
        agreement.check_repeatable(reader, stream)
        agreement.check_logits(reader.read(stream[:1], reader.start())[0])
        if protocol.window > 1:
            probe = stream[: min(protocol.window, len(corpus.ids))]
            reader = agreement.laid_out(reader, probe, layout)
        digest = state_sha256(model)
        run = Run(reader, protocol, stream, progress)
        identity = {
            "model": digest or "unknown",
            "text": corpus.digest,
            "vocabulary": corpus.vocabulary.digest,
            "protocol": protocol.sentence(),
            "layout": reader.layout,
            "torch": torch.__version__,
        }
        kept = None if journal is None else Journal(journal, identity)
        totals = run.finish(kept, save_seconds)
    return result_of(corpus, protocol, totals, layout=reader.layout, model_digest=digest)


def chosen_protocol(
    reader: Reader,
    *,
    mode: Mode | None = None,
    context: int | None = None,
    chunk: int | None = None,
    stride: int | None = None,
) -> Protocol:
    """The protocol that the options ask for; MicronetError if they do not fit the model."""
    name = type(reader.module).__name__
    chosen = mode or ("chunked" if reader.stateful else "sliding")
    if chosen in STATEFUL:
        if not reader.stateful:
            raise MicronetError(f"Mode '{chosen}' needs a state, and {name} returns none.")
        if chosen == "chunked":
            chunk = CHUNK_TOKENS if chunk is None else chunk
    elif context is None:
        own = getattr(reader.module, "context", None)
        if type(own) is not int:
            raise MicronetError(
                f"{name} has no state, so it must be said how many tokens it sees.",
                "Give a context, in tokens, or the model an attribute `context`.",
            )
        context = own
    made = Protocol(chosen, 1 if chunk is None else chunk, context, stride)
    if chosen == "chunked" and made.chunk * reader.vocabulary > MAX_LOGITS:
        most = MAX_LOGITS // reader.vocabulary
        raise MicronetError(
            f"{made.chunk} tokens a call take too much memory, with {reader.vocabulary:,} logits each.",
            f"Read at most {most} tokens a call.",
        )
    return made
