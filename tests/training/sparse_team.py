"""One of two processes that train a sparse network together; says what it ends with.

python sparse_team.py RANK WORLD FILE-TO-MEET-AT
"""

from __future__ import annotations

import hashlib
import json
import sys

import torch
import torch.distributed as dist
from torch import nn

from micronet.training.sparsify import sparsify

STEPS = 4


def digest(tensor: torch.Tensor) -> str:
    """Of its bytes."""
    return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()


def main(rank: int, world: int, meeting: str) -> None:
    """Train for a few steps on this rank's own images; print what the network is then."""
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=world)
    torch.manual_seed(rank)  # weights differ until DistributedDataParallel sends those of rank 0
    model = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 5))
    gates = sparsify(model, 0.1, budgets="global")
    team = nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.SGD(team.parameters(), lr=0.5, momentum=0.9)
    edges = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        team(torch.randn(4, 10)).square().sum().backward()
        optimizer.step()
        team(torch.zeros(1, 10))
        edges.append(digest(torch.cat([m.gate.kept.flatten() for m in gates])))
    sizes = torch.cat([m.weight.detach().abs().flatten() for m in gates])
    kept = torch.cat([m.gate.kept.flatten() for m in gates])
    found = {
        "parameters": [name for name, _ in team.named_parameters()],
        "edges": edges,
        "kept": gates.kept,
        "largest": bool(sizes[kept].min() > sizes[~kept].max()),
        "weights": digest(sizes),
    }
    dist.destroy_process_group()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
