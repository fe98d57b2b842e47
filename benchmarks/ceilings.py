"""What is possible at most on this machine: decoding alone, and the network alone."""
# ruff: noqa: INP001  # scripts, never imported by the package

from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.job import Job, loaded_target, say, wait

if TYPE_CHECKING:
    import torch

Turn = Callable[[], int]
LANE_IMAGES = 16  # that one core decodes at a time, as micronet does
BATCHES = (1, 4, 8, 16, 32)
LAYOUTS = ("NCHW", "channels last")
TRIES = 3


def decode(job: Job) -> Callable[[Turn], None]:
    """A core's part of the decoding: its chunks of images become inputs, which nobody uses."""
    import torch

    from micronet.evaluation.allocator import settle_allocator
    from micronet.evaluation.data.open import open_dataset
    from micronet.evaluation.pixels import REFERENCE, normalised, pixels

    settle_allocator()
    torch.set_num_threads(1)
    _, look = loaded_target(job)
    dataset = open_dataset(Path(job["data"]))
    images = range(len(dataset.examples))

    def part(turn: Turn) -> None:
        torch.set_num_threads(1)
        while chunk := images[LANE_IMAGES * (now := turn()) : LANE_IMAGES * (now + 1)]:
            normalised([pixels(dataset.read(each), look, REFERENCE) for each in chunk], look)
            say(len(chunk))

    return part


def forward(job: Job, way: str) -> Callable[[Turn], None]:
    """A core's part of the network alone, or all of it with torch's own threads."""
    import torch

    from micronet.evaluation.allocator import settle_allocator

    settle_allocator()
    threads = job["cores"] if way == "threads" else 1
    torch.set_num_threads(threads)
    layout, batch = job["tuned"][way]
    network, inputs = network_of(job, layout, batch)

    def part(turn: Turn) -> None:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            while batch * turn() < job["images"]:
                network(inputs)
                say(batch)

    return part


def network_of(
    job: Job, layout: str, batch: int
) -> tuple[Callable[[torch.Tensor], Any], torch.Tensor]:
    """The network as micronet computes it (norms folded), in a layout, and a batch of noise."""
    import torch

    from micronet.evaluation.fuse import fused

    loaded, _ = loaded_target(job)
    noise = torch.randn(batch, *loaded.inputs.shape[1:], generator=torch.Generator().manual_seed(0))
    kept = {"NCHW": torch.contiguous_format, "channels last": torch.channels_last}[layout]
    folded: Any = fused(loaded.model, noise[:1]).to(memory_format=kept)
    return folded, noise.contiguous(memory_format=kept)


def turns() -> Turn:
    """0, 1, 2, …: each number to one caller, in whatever thread or forked process it is."""
    number = multiprocessing.Value("i", 0)

    def turn() -> int:
        with number.get_lock():
            number.value += 1
            return int(number.value) - 1

    return turn


def in_threads(part: Callable[[Turn], None], count: int) -> None:
    """All parts in threads of this process."""
    turn = turns()
    threads = [threading.Thread(target=part, args=(turn,)) for _ in range(count)]
    wait()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def in_processes(part: Callable[[Turn], None], count: int) -> None:
    """All parts in processes of their own, which share no interpreter's lock."""
    turn = turns()
    wait()
    children = []
    for _ in range(count):
        child = os.fork()
        if not child:
            part(turn)
            os._exit(0)
        children.append(child)
    if any(os.waitpid(child, 0)[1] for child in children):
        raise SystemExit("a process failed")


def tune(job: Job) -> None:
    """Tell the quickest layout and batch for a core, and for one process with torch's threads."""
    import torch

    from micronet.evaluation.allocator import settle_allocator

    settle_allocator()
    wait()
    found: dict[str, dict[tuple[str, int], float]] = {"lanes": {}, "threads": {}}
    for layout in LAYOUTS:
        network, inputs = network_of(job, layout, max(BATCHES))
        for way, threads in (("lanes", 1), ("threads", job["cores"])):
            torch.set_num_threads(threads)
            clock = time.thread_time if threads == 1 else time.perf_counter
            for batch in BATCHES:
                found[way][layout, batch] = least(network, inputs[:batch], clock) / batch
    chosen = {way: min(each, key=lambda key: each[key]) for way, each in found.items()}
    (Path(job["answers"]) / "tune.json").write_text(json.dumps(chosen))


def least(
    network: Callable[[torch.Tensor], Any], inputs: torch.Tensor, clock: Callable[[], float]
) -> float:
    """The least seconds of a few runs after a first one."""
    import torch

    seconds = []
    with torch.inference_mode():
        for _ in range(TRIES + 1):
            start = clock()
            network(inputs)
            seconds.append(clock() - start)
    return min(seconds[1:])
