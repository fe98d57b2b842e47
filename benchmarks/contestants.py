"""The ways to evaluate that `evaluation.py` measures; each runs in a process of its own.

python benchmarks/contestants.py ROLE JOB.json
"""
# ruff: noqa: INP001  # a script: it is started by its neighbour, and finds its own

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.ceilings import decode, forward, in_processes, in_threads, tune
from benchmarks.job import Job, keep, loaded_target, say, wait
from benchmarks.random_weights import weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    import torch

    from micronet.evaluation.progress import Progress

BATCH = 32  # of the plain loops
WORKERS = 2  # of their loaders
TOP = 5


def loop(job: Job) -> None:
    """The evaluation loop of torchvision's examples, with torch's own threads and allocator."""
    import torch
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    loaded, look = loaded_target(job)
    steps: list[Any] = [transforms.ToTensor(), transforms.Normalize(look.mean, look.std)]
    if look.crop is not None:
        steps.insert(0, transforms.CenterCrop(look.crop))
    if look.resize is not None:
        mode = transforms.InterpolationMode(look.interpolation)
        steps.insert(0, transforms.Resize(look.resize, mode))
    dataset = ImageFolder(job["data"], transforms.Compose(steps))
    loader = DataLoader(dataset, batch_size=BATCH, num_workers=WORKERS)
    best, right = [], 0
    wait()
    with torch.inference_mode():
        for images, labels in loader:
            best.append(loaded.model(images).topk(TOP).indices)
            right += int((best[-1][:, 0] == labels).sum())
            say(len(images))
    names = [str(Path(path).relative_to(job["data"])) for path, _ in dataset.samples]
    keep(job, "loop", by_name(names, best))


def timm_validate(job: Job) -> None:
    """The loop of timm's validate.py without its prefetcher (which is for CUDA)."""
    import torch

    timm: Any = import_module("timm.data")
    utils: Any = import_module("timm.utils")
    loaded, look = loaded_target(job)
    side = look.crop or int(loaded.inputs.shape[-1])
    dataset = timm.create_dataset("", root=job["data"])
    resize = look.resize if isinstance(look.resize, int) else side
    loader = timm.create_loader(
        dataset,
        input_size=(3, side, side),
        batch_size=BATCH,
        use_prefetcher=False,
        interpolation=look.interpolation,
        mean=look.mean,
        std=look.std,
        num_workers=WORKERS,
        crop_pct=side / resize,
        device=torch.device("cpu"),
    )
    criterion = torch.nn.CrossEntropyLoss()
    losses, top1, top5 = (utils.AverageMeter() for _ in range(3))
    best = []
    wait()
    with torch.inference_mode():
        for images, labels in loader:
            output = loaded.model(images)
            losses.update(criterion(output, labels).item(), len(images))
            right1, right5 = utils.accuracy(output.detach(), labels, topk=(1, TOP))
            top1.update(right1.item(), len(images))
            top5.update(right5.item(), len(images))
            best.append(output.topk(TOP).indices)
            say(len(images))
    names = [str(Path(name)) for name in dataset.filenames()]
    keep(job, "timm", by_name(names, best))


def micronet(job: Job) -> None:
    """`micronet evaluate` itself, journal and all; only its progress bar is ours."""
    from micronet import cli
    from micronet.commands import evaluation_progress

    predictions = Path(job["answers"]) / "micronet.csv"
    options = {"--model": job["model"], "--weights": job["weights"]}
    given = [word for pair in options.items() if pair[1] is not None for word in pair]
    target = [] if job["target"] is None else [job["target"]]
    where = ["--data", job["data"], "--predictions", str(predictions), "--no-save"]
    alone: list[str] = []
    with patch.object(evaluation_progress, "shown", telling(alone)):
        code = cli.main(["evaluate", *target, *given, *where])
    if code:
        raise SystemExit(code)

    from micronet.evaluation.predictions_file import read_predictions

    found = {each.name: each.top for each in read_predictions(predictions)}
    main = threading.main_thread().name  # where the network is tried before the first image
    keep(job, "micronet", found, sum(name != main for name in alone))


def telling(alone: list[str]) -> Callable[..., AbstractContextManager[Callable[[Progress], None]]]:
    """Instead of the bar: tell whoever measures. The first call comes when everything is loaded.

    ``alone`` gets the name of the thread that computed an image alone.
    """

    @contextmanager
    def shown(**_: object) -> Iterator[Callable[[Progress], None]]:
        from micronet.evaluation.network import Network

        told, plain = 0, Network.alone

        def noted(self: Network, *arguments: Any) -> torch.Tensor:
            alone.append(threading.current_thread().name)
            return plain(self, *arguments)

        def watch(now: Progress) -> None:
            nonlocal told
            if now.done:
                say(now.done - told)
            else:
                wait()
            told = now.done

        with patch.object(Network, "alone", noted):
            yield watch

    return shown


def by_name(names: Iterable[str], best: list[torch.Tensor]) -> dict[str, list[int]]:
    """The best classes of each image."""
    rows = [row for batch in best for row in batch.tolist()]
    return dict(zip(names, rows, strict=True))


def main() -> None:
    """Play one role."""
    role, path = sys.argv[1:]
    job: Job = json.loads(Path(path).read_text())
    os.chdir(job["answers"])
    cores = job["cores"]
    roles: dict[str, Callable[[], None]] = {
        "loop": lambda: loop(job),
        "timm": lambda: timm_validate(job),
        "micronet": lambda: micronet(job),
        "decode-lanes": lambda: in_threads(decode(job), cores),
        "decode-processes": lambda: in_processes(decode(job), cores),
        "forward-threads": lambda: in_threads(forward(job, "threads"), 1),
        "forward-lanes": lambda: in_threads(forward(job, "lanes"), cores),
        "forward-processes": lambda: in_processes(forward(job, "lanes"), cores),
        "tune": lambda: tune(job),
        "weights": lambda: weights(job),
    }
    roles[role]()


if __name__ == "__main__":
    main()
