"""Several processes that train one network: DistributedDataParallel under torchrun, gloo or nccl.

Each process computes its share of every batch; gradients are summed, so every process takes the
same step and keeps the same edges. Batch norms see the whole batch.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import torch
import torch.distributed as dist
from torch import Tensor, nn

from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Iterator

_WAIT: Final = timedelta(minutes=10)


class Team:
    """This process (``rank``) among ``world``, and the ``device`` it computes on.

    A team of one needs no torch.distributed.
    """

    def __init__(self, rank: int = 0, world: int = 1, device: str = "cpu") -> None:
        self.rank, self.world = rank, world
        self.device = torch.device(device)

    def sum(self, *numbers: float) -> tuple[float, ...]:
        """Each number summed over all processes."""
        if self.world == 1:
            return numbers
        total = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return tuple(total.tolist())

    def wait(self) -> None:
        """Go on when every process has come here."""
        if self.world > 1:
            dist.barrier()

    def spread(self, network: nn.Module) -> nn.Module:
        """``network`` such that a backward pass sums the gradients of all processes."""
        if self.world == 1:
            return network
        spread = nn.parallel.DistributedDataParallel
        # Every process computes the same statistics and edges: there is nothing to send.
        buffers = [name for name, _ in network.named_buffers()]
        spread._set_params_and_buffers_to_ignore_for_model(network, buffers)
        return spread(network)


@contextmanager
def joined(device: str = "cpu") -> Iterator[Team]:
    """The team that torchrun has made this process part of, else a team of one.

    On "cuda" each process of a machine takes an accelerator of its own, and nccl is spoken.
    MicronetError if another process dies on the way or cannot be reached.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world < 2:
        yield Team(device=device)
        return
    on_cuda = device == "cuda"
    try:
        dist.init_process_group("nccl" if on_cuda else "gloo", timeout=_WAIT)
        mine = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if on_cuda else device
        yield Team(dist.get_rank(), world, mine)
    except (RuntimeError, ValueError) as error:  # torch.distributed's own errors are RuntimeErrors
        if not _of_connection(error):
            raise
        reason = str(error).strip().splitlines()[0][:160]
        raise MicronetError(
            f"The team has lost a process: {reason}",
            "What is done is kept: the same command goes on from there.",
        ) from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _of_connection(error: Exception) -> bool:
    words = ("gloo", "connection", "connect", "store", "timed out", "nccl", "peer", "rendezvous")
    return isinstance(error, dist.DistError) or any(word in str(error).lower() for word in words)


class Summed(torch.autograd.Function):
    """A tensor summed over all processes; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor) -> Tensor:  # noqa: ARG004
        """The sum of what every process gives."""
        total = mine.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Tensor:  # noqa: ARG004
        """The sum of what comes back to every process."""
        total = upstream.clone()
        dist.all_reduce(total)
        return total


class WholeBatchNorm(nn.BatchNorm2d):
    """Batch norm over the batch of all processes, on any device; torch's own has none for CPUs."""

    def forward(self, x: Tensor) -> Tensor:
        """[batch, channels, h, w], this process's share, normalised by everybody's statistics."""
        if not self.training:
            return super().forward(x)
        shape = (1, -1, 1, 1)
        sums = torch.cat((x.sum((0, 2, 3)), x.new_tensor([x.numel() / x.shape[1]])))
        sums = Summed.apply(sums)
        count = sums[-1].detach()
        mean = sums[:-1] / count
        off = x - mean.view(shape)
        variance = Summed.apply(off.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            share = 0.1 if self.momentum is None else self.momentum
            if self.running_mean is not None and self.running_var is not None:
                self.running_mean.lerp_(mean, share)
                self.running_var.lerp_(variance * count / (count - 1), share)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked += 1
        scaled = off * torch.rsqrt(variance + self.eps).view(shape)
        normalised: Tensor = scaled * self.weight.view(shape) + self.bias.view(shape)
        return normalised


def norms_of_all(model: nn.Module) -> None:
    """Let the batch norms of ``model`` see the batch of all processes; names and state stay."""
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = WholeBatchNorm
