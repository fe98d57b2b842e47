"""``micronet verify``: judge packages one by one, and all of them together."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from micronet.commands import console
from micronet.evaluation.allocator import settle_allocator
from micronet.packages.entries import document_of, entries
from micronet.packages.report import REFUSED, Report
from micronet.packages.verify import DEFAULT_IMAGES, verify
from micronet.packages.verify import Request as How

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from micronet.evaluation.progress import Progress
    from micronet.packages.entries import Entries

FINDING: Final = 1
UNJUDGED: Final = 2
_QUIET_SECONDS: Final = 2.0  # of an evaluation that needs no bar


@dataclass(frozen=True)
class Request:
    """One ``micronet verify`` command line; the fields are its options."""

    packages: tuple[Path, ...]
    model: str | None = None
    data: Path | None = None
    labels: Path | None = None
    images: int | None = DEFAULT_IMAGES
    threads: int | None = None
    signer: Path | None = None
    require_quality: bool = False
    json: bool = False


def run(request: Request) -> int:
    """Show what each package is found to be; 1 where one contradicts itself, 2 where none can say."""
    settle_allocator()  # before torch or anybody else starts a thread that takes an arena of its own
    how = How(
        model=request.model,
        data=request.data,
        labels=request.labels,
        images=request.images,
        lanes=request.threads or _cores(),
        signer=request.signer,
    )
    reports = []
    for path in request.packages:
        with _progress() as watch:
            reports.append(verify(path, how, watch))
    tracks = entries(reports)
    if request.json:
        console.write_json(document_of(reports, tracks))
    else:
        from micronet.commands.render_verify import verify_view

        console.write(verify_view(document_of(reports, tracks)))
    return _exit_code(reports, tracks, require_quality=request.require_quality)


def _exit_code(
    reports: Sequence[Report], tracks: Sequence[Entries], *, require_quality: bool
) -> int:
    if not all(report.judged for report in reports):
        return UNJUDGED
    if any(report.outcome == REFUSED for report in reports):
        return FINDING
    if not all(each.allowed for each in tracks):
        return FINDING
    if require_quality:
        found = {report.qualifies for report in reports}
        return FINDING if False in found else UNJUDGED if None in found else 0
    return 0


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _progress() -> Iterator[Callable[[Progress], None]]:
    """The progress of an evaluation; on a terminal a bar, if it lasts more than two seconds."""
    from micronet.commands import evaluation_progress

    if not sys.stderr.isatty():
        with evaluation_progress.shown() as watch:
            yield watch
        return
    since: float | None = None
    told: Callable[[Progress], None] | None = None
    with ExitStack() as bar:

        def late(now: Progress) -> None:
            nonlocal since, told
            since = time.monotonic() if since is None else since
            if told is None and time.monotonic() - since > _QUIET_SECONDS:
                told = bar.enter_context(evaluation_progress.shown())
            if told is not None:
                told(now)

        yield late
