"""What a contestant is told and what it tells: see `turns.Contestant`."""
# ruff: noqa: INP001  # scripts, never imported by the package

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from micronet.checkpoints.card import Preprocessing
    from micronet.checkpoints.loaded import LoadedTarget

Job = Mapping[str, Any]
"""``target``, ``model`` and ``weights`` as `micronet evaluate` takes them; ``data``, a folder;
``answers``, the folder for what is found; ``images``; ``cores``; ``tuned`` (see `ceilings.tune`)."""


def say(what: object) -> None:
    """A line to whoever measures."""
    os.write(int(os.environ["REPORT_TO"]), f"{what}\n".encode())


def wait() -> None:
    """Everything is loaded: the next line of standard input starts the clock."""
    say("ready")
    sys.stdin.readline()


def loaded_target(job: Job) -> tuple[LoadedTarget, Preprocessing]:
    """The network of the job with its weights, and the preprocessing that belongs to it."""
    from micronet.checkpoints.target import load_target
    from micronet.evaluation.preprocessing import chosen_preprocessing

    weights = None if job["weights"] is None else Path(job["weights"])
    loaded = load_target(job["target"], model=job["model"], weights=weights)
    return loaded, chosen_preprocessing(loaded)[0]


def keep(job: Job, role: str, top: Mapping[str, Sequence[int]], alone: int | None = None) -> None:
    """Write the best classes by the name of the image, and how many were computed alone."""
    document = json.dumps({"top": top, "alone": alone})
    (Path(job["answers"]) / f"{role}.json").write_text(document)
