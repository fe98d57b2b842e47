"""Evaluate an image classifier: every image once, whatever happens on the way."""

from __future__ import annotations

import time
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from PIL import Image

from micronet.errors import MicronetError
from micronet.evaluation.lanes import Chunk, run_lanes, single_threads
from micronet.evaluation.pixels import UnreadableError, normalised, pixels
from micronet.evaluation.prediction import UNREADABLE
from micronet.evaluation.prepare import prepared
from micronet.evaluation.progress import Meter, Progress
from micronet.evaluation.worker import Plan, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor, nn

    from micronet.evaluation.journal import Journal
    from micronet.evaluation.network import Network
    from micronet.evaluation.prediction import Prediction
    from micronet.evaluation.team import Team

_CHECK_SECONDS: Final = 1.0  # how often the other processes are looked after


def evaluate(
    model: nn.Module,
    plan: Plan,
    journal: Journal,
    team: Team,
    watch: Callable[[Progress], None] = lambda _: None,
) -> tuple[Prediction, ...]:
    """The prediction for every example of the plan's data set, in its order.

    What ``journal`` holds is not done again. Every process of ``team`` returns the same.
    Raises MicronetError if the network or (with ``strict``) an image is at fault, or if another
    process of the team died; the journal then holds what is done.
    """
    try:
        with warnings_of_pillow():
            return _evaluated(model, plan, journal, team, watch)
    except MicronetError as error:
        team.fail(error.message)
        raise


def _evaluated(
    model: nn.Module,
    plan: Plan,
    journal: Journal,
    team: Team,
    watch: Callable[[Progress], None],
) -> tuple[Prediction, ...]:
    examples = plan.dataset.examples
    known = _of_these(plan, _merged(team.share(journal.found)))
    left = [index for index in range(len(examples)) if index not in known]
    chunks = [left[at : at + plan.batch_size] for at in range(0, len(left), plan.batch_size)]
    meter = Meter(len(examples), known.values(), watch)
    if chunks:
        _work_through(
            chunks,
            known,
            Worker(_network(model, plan), plan),
            journal=journal,
            team=team,
            meter=meter,
        )
    known = _merged(team.share(known))
    if len(known) != len(examples):
        raise MicronetError(
            f"{len(known):,} of {len(examples):,} images were done: a process has left early.",
            "The same command goes on from there.",
        )
    return tuple(known[index] for index in range(len(examples)))


def _work_through(
    chunks: Sequence[Chunk],
    known: dict[int, Prediction],
    worker: Worker,
    *,
    journal: Journal,
    team: Team,
    meter: Meter,
) -> None:
    """Add to ``known`` what this process finds; every chunk goes into the journal when it is done."""
    checked = time.monotonic()
    dealt = team.deal(journal.folder.name, chunks)
    for finished in run_lanes(dealt, worker.work, worker.plan.lanes):
        journal.append(finished.predictions)
        known.update({each.index: each for each in finished.predictions})
        meter.tick(finished, team.advance(len(finished.predictions)))
        if time.monotonic() - checked > _CHECK_SECONDS:
            team.check()
            checked = time.monotonic()


def _merged(parts: Sequence[Mapping[int, Prediction]]) -> dict[int, Prediction]:
    return {index: each for part in parts for index, each in part.items()}


def _of_these(plan: Plan, found: Mapping[int, Prediction]) -> dict[int, Prediction]:
    """What was found of just these images; ``strict`` looks at unreadable ones again."""
    names = dict(enumerate((each.name, each.label) for each in plan.dataset.examples))
    return {
        index: each
        for index, each in found.items()
        if (each.name, each.label) == names.get(index)
        and not (plan.strict and each.state == UNREADABLE)
    }


def _network(model: nn.Module, plan: Plan) -> Network:
    with single_threads():  # as the lanes will compute: what is measured here is their rounding
        return prepared(model, plan.arithmetic, _first_input(plan), len(plan.dataset.classes))


def _first_input(plan: Plan) -> Tensor:
    """The first image that can be read, to try the network on."""
    problem = "there is none"
    for index in range(len(plan.dataset.examples)):
        try:
            sample = pixels(plan.dataset.read(index), plan.look, plan.decoder)
        except (UnreadableError, OSError) as error:
            problem = str(error)
        else:
            return normalised([sample], plan.look)
    raise MicronetError(f"{plan.dataset.root}: no image can be read: {problem}.")


@contextmanager
def warnings_of_pillow() -> Iterator[None]:
    """An image of too many pixels is an error; other remarks on images are not the user's affair."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        warnings.filterwarnings("ignore", module=r"torchvision\.io")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield
