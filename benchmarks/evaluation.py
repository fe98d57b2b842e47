"""How fast networks are evaluated on images, beside the usual loops and beside what is possible.

    python benchmarks/evaluation.py --data ~/imagenet
    python benchmarks/evaluation.py --data DIR --images 500 --upscale --models mobilenet_v2 --repeats 1

Contestants are processes of their own that take turns, a tenth of the images at a time.
"""
# ruff: noqa: INP001, T201  # a script: it prints, finds its neighbours

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks import machine, pictures, turns
from benchmarks.evaluation_tables import (
    CONTESTANTS,
    FORWARD,
    Contest,
    Rates,
    cores,
    document,
    remarks,
    summary,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

WITH_WEIGHTS = ("efficientnet_lite0",)  # cards whose weights are in a package
MODELS = ("mobilenet_v2", *WITH_WEIGHTS, "resnet50")
Job = dict[str, Any]


def start(role: str, job: Job) -> turns.Contestant:
    """A contestant that is loaded and waits."""
    folder = Path(job["answers"])
    path = folder / "job.json"
    path.write_text(json.dumps(job))
    script = str(Path(__file__).with_name("contestants.py"))
    root = str(Path(__file__).resolve().parents[1])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-W", "ignore", script, role, str(path)]
    return turns.Contestant(command, folder, {**os.environ, "PYTHONPATH": paths})


def prepare(role: str, job: Job) -> None:
    """Let a role that is not measured do its work."""
    with start(role, job) as process:
        process.run_to(0)
        process.finish()


def contest(name: str, job: Job, roles: Sequence[str], repeats: int) -> Contest:
    """All rounds of one network."""
    folder = Path(job["answers"])
    if job["weights"] is not None:
        prepare("weights", job)
    if any(role in FORWARD for role in roles):
        prepare("tune", job)
        job["tuned"] = json.loads((folder / "tune.json").read_text())
    rounds = []
    for turn in range(repeats):
        print(f"{name}, round {turn + 1} of {repeats} …", file=sys.stderr, flush=True)
        with ExitStack() as stack:
            started = {role: stack.enter_context(start(role, job)) for role in roles}
            rounds.append(Rates(turns.in_turns(started, job["images"])))
    written = {role: folder / f"{role}.json" for role in roles}
    answers = {
        role: json.loads(path.read_text()) for role, path in written.items() if path.exists()
    }
    kind = "published weights" if job["weights"] is None else "seeded random weights"
    return Contest(kind, rounds, answers, job.get("tuned", {}))


def job_of(name: str, data: Path, folder: Path, images: int) -> Job:
    """What the contestants are told about one network."""
    real = name in WITH_WEIGHTS
    return {
        "target": name if real else None,
        "model": None if real else f"torchvision:{name}",
        "weights": None if real else str(folder / "weights.pt"),
        "data": str(data),
        "answers": str(folder),
        "images": images,
        "cores": cores(),
    }


def main() -> None:
    """Lay out the images, let everybody take turns, print the tables."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # nobody is left behind, stopped
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="class folders")
    parser.add_argument("--images", type=int, metavar="N", help="as many of them; default: all")
    parser.add_argument(
        "--upscale", action="store_true", help="encode them anew as large as ImageNet's: 500 x 375"
    )
    parser.add_argument("--models", nargs="+", default=list(MODELS), metavar="NAME")
    known = list(CONTESTANTS)
    parser.add_argument(
        "--contestants", nargs="+", default=known, choices=known, metavar="WHO", help=str(known)
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="rounds, each of all images (median)"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write every number here")
    options = parser.parse_args()
    roles = [role for role in CONTESTANTS if role in options.contestants]
    if "timm" in roles and find_spec("timm") is None:
        print("timm is not installed, left out", file=sys.stderr)
        roles.remove("timm")
    run(options, roles)


def run(options: argparse.Namespace, roles: Sequence[str]) -> None:
    """Measure all networks and print what was found."""
    contests: dict[str, Contest] = {}
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "val"
        laid = pictures.lay_out(options.data, data, options.images, enlarged=options.upscale)
        made = f" {pictures.HOW}" if options.upscale else ""
        size = f"{laid.kilobytes:.0f} kB and {laid.pixels:,.0f} pixels in the mean"
        print(f"{laid.images:,} images{made}, {size}")
        for name in options.models:
            folder = Path(place) / name
            folder.mkdir()
            job = job_of(name, data, folder, laid.images)
            found = contests[name] = contest(name, job, roles, options.repeats)
            print("\n".join([f"\n## {name}, {found.weights}\n", *table(found, roles), ""]))
            print("\n".join(remarks(found)), flush=True)
    print("\n## Ratios\n\n" + "\n".join(summary(contests)))
    print(f"\n## Machine\n\n{machine.describe(cores())}")
    if options.json:
        options.json.write_text(json.dumps(document(contests), indent=1) + "\n")


if __name__ == "__main__":
    main()
