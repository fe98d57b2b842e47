"""How fast a training step is, side by side: the plain formulation, and node-major with its selection.

    python benchmarks/training.py [--threads 1] [--repeats 3]

Plain: grouped convolutions, slices and concatenations, and a full sort that chooses the edges, as
DNW's release does it. Both take turns in one process, on the same weights and images; a step is
forward and backward, without the optimizer. Nothing is asserted about speed.
"""

# ruff: noqa: INP001, T201  # a script: it prints
from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from micronet.evaluation.allocator import settle_allocator
from micronet.training.network import trainable
from micronet.training.nodes.networks import node_major
from micronet.training.selection import Candidates, select

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

    from micronet.training.gates import Gates

SMALL_IMAGES = {"density": 0.225, "classes": 10, "image_size": 32}
CASES: tuple[tuple[str, Mapping[str, Any], int], ...] = (
    ("tiny_static", {}, 512),
    ("mobilenetv1_dnw", SMALL_IMAGES, 128),
)
EDGES = 4_000_000


@dataclass(frozen=True)
class Step:
    """One way to compute a step: what chooses the edges, and the forward pass."""

    name: str
    choose: Callable[[], None]
    forward: Callable[[Tensor], Tensor]


def choose_by_sorting(gates: Gates) -> None:
    """Every group's largest weights by a sort of all of them."""
    for group in gates.groups:
        (member,) = group.members
        size = member.weight.detach().abs().flatten()
        if member.gate.legal is not None:
            size = size.masked_fill(~member.gate.legal.flatten(), -1)
        dropped = size.sort().indices[: size.numel() - group.budget]
        member.gate.kept.fill_(value=True).view(-1)[dropped] = False


def step(network: nn.Module, way: Step, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """The loss and all gradients."""
    way.choose()
    network.zero_grad()
    loss = F.cross_entropy(way.forward(images), labels)
    loss.backward()
    found = {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
    return {"loss": loss.detach(), **found}


def compare(architecture: str, config: Mapping[str, Any], batch: int, repeats: int) -> None:
    """Print images a second of both ways, their ratio, and how far results are apart."""
    network, gates = trainable(architecture, config, seed=1)
    fast = node_major(network)
    if fast is None:
        raise SystemExit(f"{architecture} has no node-major form")
    gates.choose_largest()
    ways = (
        Step("plain", lambda: choose_by_sorting(gates), network),
        Step("node-major", gates.choose_largest, fast),
    )
    images, labels = torch.randn(batch, 3, 32, 32), torch.randint(10, (batch,))
    results = [step(network, way, images, labels) for way in ways]  # and everything is compiled
    seconds: dict[str, list[float]] = {way.name: [] for way in ways}
    for _ in range(repeats):
        for way in ways:
            since = time.perf_counter()
            step(network, way, images, labels)
            seconds[way.name].append(time.perf_counter() - since)
    plain, node = (median(seconds[way.name]) for way in ways)
    largest = max(float(g.norm()) for n, g in results[0].items() if n != "loss")
    apart = max(float((results[0][n] - results[1][n]).norm()) for n in results[0] if n != "loss")
    print(f"\n{architecture}, batch {batch}")
    print(f"  plain       {batch / plain:8.0f} images/s")
    print(f"  node-major  {batch / node:8.0f} images/s, {plain / node:.2f} × plain")
    print(f"  losses {float(results[0]['loss']):.6f} and {float(results[1]['loss']):.6f}, "
          f"gradients {apart / largest:.1e} of the largest apart")  # fmt: skip
    chosen = timed(gates.choose_largest, repeats)
    print(f"  choosing edges: {100 * chosen / node:.1f} % of the step ({1000 * chosen:.1f} ms)")


def timed(work: Callable[[], object], repeats: int) -> float:
    """Median seconds."""
    work()
    found = []
    for _ in range(repeats):
        since = time.perf_counter()
        work()
        found.append(time.perf_counter() - since)
    return median(found)


def selections(repeats: int) -> None:
    """Print the time to choose 100,000 of four million edges, beside torch's ways."""
    weight = torch.randn(EDGES)
    candidates = [Candidates(weight, None, torch.empty(EDGES, dtype=torch.bool))]
    kept = 100_000
    ours = timed(lambda: select(candidates, kept), repeats)
    print(f"\nchoosing {kept:,} of {EDGES:,} edges")
    print(f"  select      {1000 * ours:8.1f} ms")
    for name, work in (
        ("sort", lambda: weight.abs().sort()),
        ("kthvalue", lambda: weight.abs().kthvalue(EDGES - kept + 1)),
        ("topk", lambda: weight.abs().topk(kept)),
    ):
        other = timed(work, repeats)
        print(f"  {name:10}  {1000 * other:8.1f} ms, {other / ours:.1f} × ours")


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    settle_allocator()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {given.threads} thread(s), {given.repeats} repeats")
    for architecture, config, batch in CASES:
        compare(architecture, config, batch, given.repeats)
    selections(given.repeats)


if __name__ == "__main__":
    main()
