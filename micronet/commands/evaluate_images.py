"""``micronet evaluate`` of an image classifier."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from micronet.commands import console, machine
from micronet.commands.evaluation_request import Request, finish
from micronet.errors import MicronetError
from micronet.reports import JOURNALS

if TYPE_CHECKING:
    from micronet.checkpoints.loaded import LoadedTarget
    from micronet.evaluation.data.dataset import Dataset
    from micronet.evaluation.prediction import Prediction
    from micronet.evaluation.progress import Progress
    from micronet.evaluation.team import Team
    from micronet.evaluation.worker import Plan

CHECKED_IMAGES: Final = 500  # that a faster decoder is compared with the reference on


def run_images(request: Request, loaded: LoadedTarget, track: str | None) -> int:
    """Evaluate an image classifier; only the first process of a team writes."""
    from micronet.evaluation.identity import arithmetic_facts
    from micronet.evaluation.receipt import evaluation_document
    from micronet.evaluation.state_digest import target_facts
    from micronet.evaluation.team import join_team
    from micronet.scoring.tracks import track_or_none

    plan, source, track = _plan(request, loaded, track)
    real = _real(request, plan.dataset)
    team = join_team()
    facts = target_facts(loaded)
    try:
        with ExitStack() as journals:  # they go when the receipt is written
            predictions, notes = _predictions(loaded, facts, plan, team, journals)
            if team.rank == 0:
                document = evaluation_document(
                    target=facts,
                    track=track_or_none(track),
                    dataset=plan.dataset,
                    preprocessing={**asdict(plan.look), "decoder": plan.decoder, "source": source},
                    arithmetic=arithmetic_facts(plan),
                    predictions=predictions,
                    real=real,
                    notes=[*loaded.notes, *notes],
                )
                finish(request, document, predictions, real)
    except MicronetError as error:
        team.fail(error.message)
        raise
    finally:
        team.leave()
    return 0


def _plan(
    request: Request, loaded: LoadedTarget, track: str | None
) -> tuple[Plan, str, str | None]:
    """What to run, where its preprocessing is from, and the track that is judged."""
    from micronet.evaluation.data.open import open_dataset
    from micronet.evaluation.network import DTYPES, Arithmetic
    from micronet.evaluation.pixels import DECODERS
    from micronet.evaluation.preprocessing import chosen_preprocessing
    from micronet.evaluation.worker import Plan

    machine.one_of("--decoder", request.decoder, DECODERS)
    machine.one_of("--dtype", request.dtype, DTYPES)
    look, source = chosen_preprocessing(
        loaded, resize=request.resize, crop=request.crop, interpolation=request.interpolation
    )
    dataset = open_dataset(request.data.expanduser(), labels=request.labels, track=track)
    plan = Plan(
        dataset=dataset,
        look=look,
        arithmetic=Arithmetic(
            request.dtype, machine.prepare(request.device, None), request.compiled
        ),
        decoder=request.decoder,
        batch_size=request.batch_size,
        lanes=_lanes(request.threads),
        strict=request.strict,
    )
    return plan, source, track or _track_of(dataset)


def _lanes(threads: int | None) -> int:
    """Threads of this process: the cores that it may use, shared with others on this machine."""
    if threads is not None:
        return threads
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (cores or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def _track_of(dataset: Dataset) -> str | None:
    """The track whose test set this is, or whose classes these are."""
    from micronet.evaluation.data.classes import IMAGE_TRACKS, track_classes
    from micronet.evaluation.verdict import SPLITS

    for name in IMAGE_TRACKS:
        if dataset.split == SPLITS[name] or dataset.classes == track_classes(name):
            return name
    return None


def _real(request: Request, dataset: Dataset) -> tuple[tuple[int, ...], ...] | None:
    if request.real is None:
        return None
    from micronet.evaluation.real import real_labels

    names = [each.name for each in dataset.examples]
    return real_labels(request.real, names, classes=len(dataset.classes))


def _predictions(
    loaded: LoadedTarget, facts: dict[str, Any], plan: Plan, team: Team, journals: ExitStack
) -> tuple[tuple[Prediction, ...], list[str]]:
    """All predictions, and what is to be said about a decoder that is not the reference."""
    from micronet.evaluation.pixels import REFERENCE

    found = _evaluated(loaded, facts, plan, team, journals, bar=True)
    if plan.decoder == REFERENCE:
        return found, []
    sample = range(0, len(found), max(1, len(found) // CHECKED_IMAGES))
    dataset = plan.dataset
    some = replace(
        dataset,
        examples=tuple(dataset.examples[index] for index in sample),
        read=lambda index: dataset.read(sample[index]),
        fingerprint=f"{dataset.fingerprint}/{sample.step}",
    )
    reference = replace(plan, dataset=some, decoder=REFERENCE)
    again = _evaluated(loaded, facts, reference, team, journals, bar=False)
    pairs = [(found[index], each) for index, each in zip(sample, again, strict=True)]
    changed = sum(fast.top[:1] != exact.top[:1] for fast, exact in pairs)
    remark = (
        f"decoder {plan.decoder}: of {len(pairs):,} images that were decoded both ways, {changed:,} "
        f"got another best class than with {REFERENCE}"
    )
    return found, [remark]


def _evaluated(
    loaded: LoadedTarget,
    facts: dict[str, Any],
    plan: Plan,
    team: Team,
    journals: ExitStack,
    *,
    bar: bool,
) -> tuple[Prediction, ...]:
    from micronet.commands import evaluation_progress
    from micronet.evaluation.identity import evaluation_id
    from micronet.evaluation.journal import open_journal
    from micronet.evaluation.run import evaluate

    name = f"{loaded.name}.{plan.dataset.name}"
    identity = evaluation_id(facts, loaded.model, plan)
    now: Progress | None = None
    journal = journals.enter_context(open_journal(Path.cwd() / JOURNALS, name, identity, team))
    bar = bar and team.rank == 0
    try:
        with evaluation_progress.shown(bar=bar) as watch:

            def keep(progress: Progress) -> None:
                nonlocal now
                now = progress
                watch(progress)

            return evaluate(loaded.model, plan, journal, team, keep)
    except KeyboardInterrupt:
        if bar and now is not None:
            console.say(evaluation_progress.known_so_far(now))
        raise
