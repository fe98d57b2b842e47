"""``micronet evaluate`` of a language model: perplexity, and operations a token."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from micronet.commands import console, evaluation_progress, machine
from micronet.commands.evaluation_request import Request, finish
from micronet.errors import MicronetError
from micronet.reports import JOURNALS, file_name

if TYPE_CHECKING:
    from micronet.checkpoints.loaded import LoadedTarget
    from micronet.evaluation.language.corpus import Corpus
    from micronet.evaluation.language.protocol import Mode
    from micronet.evaluation.language.result import LanguageResult

RULES = "micronet2019"


def run_language(request: Request, loaded: LoadedTarget) -> int:
    """Measure the perplexity of ``loaded`` on a text, read in order by one process."""
    from micronet.evaluation.language.corpus import open_corpus
    from micronet.evaluation.receipt import perplexity_document
    from micronet.evaluation.state_digest import target_facts
    from micronet.scoring.tracks import track as track_named

    _check(request, loaded)
    device = machine.prepare(request.device, request.threads)
    loaded.model.to(device)
    order = request.vocabulary_order
    corpus = open_corpus(request.data.expanduser(), vocabulary=request.vocabulary, order=order)
    journal = Path.cwd() / JOURNALS / file_name(f"{loaded.name}.{corpus.name}.text")
    result = _measured(request, loaded, corpus, journal)
    document = perplexity_document(
        target=target_facts(loaded),
        track=track_named("wikitext103"),
        name=corpus.name,
        result=result,
        arithmetic={"dtype": "float32", "device": device.type, "compiled": False},
        notes=[*loaded.notes, _operations(result, loaded)],
    )
    finish(request, document)
    journal.unlink(missing_ok=True)  # only now: a receipt that cannot be written loses no work
    return 0


def _check(request: Request, loaded: LoadedTarget) -> None:
    from micronet.evaluation.network import check_weights

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise MicronetError("A text is read in order, by one process.", "Leave torchrun out.")
    check_weights(loaded.model)
    if request.predictions is not None:
        raise MicronetError("A text has no predictions of images.", "Leave --predictions out.")
    if request.dtype != "fp32" or request.compiled:
        raise MicronetError("Perplexity is measured in fp32, as the model is given.")


def _measured(
    request: Request, loaded: LoadedTarget, corpus: Corpus, journal: Path
) -> LanguageResult:
    from micronet.evaluation.language.perplexity import evaluate_language

    journal.parent.mkdir(parents=True, exist_ok=True)
    last = (0, 0, math.nan)
    with evaluation_progress.shown_of_text() as watch:

        def keep(done: int, of: int, perplexity: float) -> None:
            nonlocal last
            last = (done, of, perplexity)
            watch(done, of, perplexity)

        try:
            result = evaluate_language(
                loaded.model,
                corpus,
                mode=_mode(request),
                context=request.context,
                stride=request.stride,
                journal=journal,
                progress=keep,
            )
        except KeyboardInterrupt:
            console.say(
                f"Stopped after {last[0]:,} of {last[1]:,} tokens; perplexity so far {last[2]:.2f}. "
                "The same command goes on from there."
            )
            raise
    return result


def _mode(request: Request) -> Mode | None:
    if request.online:
        return "online"
    return None if request.stride is None else "strided"


def _operations(result: LanguageResult, loaded: LoadedTarget) -> str:
    from micronet.evaluation.language.operations import operations_per_token

    mean = operations_per_token(
        loaded.model,
        result.protocol,
        tokens=result.tokens,
        vocabulary=result.vocabulary,
        layout=result.layout,
        rules=RULES,
    )
    return f"{float(mean):,.1f} operations a token as {RULES} weighs them, the mean of the text"
