"""What an operator really does with zeros, found by running it: the reference for its rule.

A function is run on random inputs that are zero where ``fed`` is false; its result is looked at where
``seen`` is true. An element can be nonzero if it ever was, and reaches the output if what is seen ever
changed with it, the others being what they are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from micronet.scoring.liveness import analyse
from micronet.scoring.trace import meta_input, trace

Function = Callable[[Tensor], Tensor]


class Found(NamedTuple):
    """Results that can be nonzero, and inputs that reach what is seen of the result."""

    nonzero: list[bool]
    reached: list[bool]


class Masked(nn.Module):
    """The function between a mask on its input and a mask on its result."""

    def __init__(self, function: Function, fed: Tensor, seen: Tensor) -> None:
        super().__init__()
        self.function, self.fed, self.seen = function, fed.float(), seen.float()

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x * self.fed) * self.seen


def predicted(function: Function, fed: Tensor, seen: Tensor) -> Found:
    """By the rules."""
    operations = trace(Masked(function, fed, seen), [meta_input(fed.shape)])
    liveness = analyse(operations)
    first, last = operations.operations[0].outputs[0], operations.operations[-1].inputs[0]
    nonzero = liveness.nonzero[id(last)].expand(last.shape)
    return Found(
        nonzero.flatten().tolist(), liveness.reaches(first).expand(first.shape).flatten().tolist()
    )


def observed(function: Function, fed: Tensor, seen: Tensor, runs: int = 12) -> Found:
    """By running it: on random inputs, and with one element after the other set to something else."""
    nonzero = torch.zeros(seen.shape, dtype=torch.bool)
    reached = torch.zeros(fed.numel(), dtype=torch.bool)
    generator = torch.Generator().manual_seed(0)
    for _, scale in zip(range(runs), itertools.cycle((1.0, 4.0)), strict=False):
        x = torch.randn(fed.shape, generator=generator) * scale * fed
        y = function(x)
        nonzero |= y != 0
        for i in (~reached).nonzero().flatten().tolist():
            changed = x.clone()
            changed.view(-1)[i] = float(torch.randn(1, generator=generator)) * scale
            reached[i] = bool(((function(changed) != y) & seen.bool()).any())
    return Found(nonzero.flatten().tolist(), reached.tolist())


def masks(*shape: int, seed: int, channels: tuple[int, ...] | None = None) -> Tensor:
    """A random mask; ``channels``: one that varies over these dimensions only."""
    generator = torch.Generator().manual_seed(seed)
    varied = [n if channels is None or d in channels else 1 for d, n in enumerate(shape)]
    return (torch.rand(varied, generator=generator) < 0.5).expand(shape)


def cases(
    shape: tuple[int, ...],
    result: tuple[int, ...],
    *,
    channels: tuple[int, ...] | None = None,
    result_channels: tuple[int, ...] | None = None,
    count: int = 6,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of (fed, seen): everything, then at random."""
    yield torch.ones(shape, dtype=torch.bool), torch.ones(result, dtype=torch.bool)
    for seed in range(count):
        yield (
            masks(*shape, seed=2 * seed, channels=channels),
            masks(*result, seed=2 * seed + 1, channels=result_channels),
        )
    yield masks(*shape, seed=98, channels=channels), torch.ones(result, dtype=torch.bool)
    yield torch.ones(shape, dtype=torch.bool), masks(*result, seed=99, channels=result_channels)


def _both(function: Function, fed: Tensor, seen: Tensor) -> tuple[Found, Found]:
    """(rule, run), dependence on inputs that are always zero left out: nothing hangs on it."""
    alive = fed.flatten().tolist()

    def where_fed(found: Found) -> Found:
        return Found(found.nonzero, [a and b for a, b in zip(found.reached, alive, strict=True)])

    return where_fed(predicted(function, fed, seen)), where_fed(observed(function, fed, seen))


def agree(function: Function, shape: tuple[int, ...], **how: tuple[int, ...] | None) -> None:
    """Raise AssertionError where the rules and the runs differ on any case."""
    result = tuple(function(torch.zeros(shape)).shape)
    for fed, seen in cases(shape, result, **how):  # type: ignore[arg-type]
        rule, run = _both(function, fed, seen)
        if rule != run:
            wrong = f"fed {fed.tolist()}, seen {seen.tolist()}:\nrule {rule}\nrun  {run}"
            raise AssertionError(wrong)


def never_drops(function: Function, shape: tuple[int, ...], **how: tuple[int, ...] | None) -> None:
    """Raise AssertionError where the rules call dead what is alive (they may doubt)."""
    result = tuple(function(torch.zeros(shape)).shape)
    for fed, seen in cases(shape, result, **how):  # type: ignore[arg-type]
        rule, run = _both(function, fed, seen)
        for said, did in ((rule.nonzero, run.nonzero), (rule.reached, run.reached)):
            if any(b and not a for a, b in zip(said, did, strict=True)):
                wrong = f"fed {fed.tolist()}, seen {seen.tolist()}:\nrule {rule}\nrun  {run}"
                raise AssertionError(wrong)
