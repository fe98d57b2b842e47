"""A small network whose edges move, and everything that a recording should know, kept aside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from micronet.training.gates import Gates, Group, gated
from micronet.training.job import Epoch
from micronet.training.recording import Recorder
from micronet.training.wires import Wires, kept_now, watch_wires

if TYPE_CHECKING:
    from micronet.training.gates import Gated

STEPS_PER_EPOCH = 7
SEED = 5


def layers(seed: int = 0) -> tuple[nn.ModuleDict, list[Gated]]:
    """A convolution, a layer where some edges are illegal, and one more."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.ModuleDict(
            {
                "first": nn.Conv2d(3, 4, 3, bias=False),
                "second": nn.Linear(20, 30),
                "third": nn.Linear(11, 9, bias=False),
            }
        )
    legal = torch.rand(30, 20, generator=torch.Generator().manual_seed(5)) < 0.6
    legal[:2] = False  # nodes that no edge may reach
    members = [
        gated(model[name], "weight", f"{name}.weight", legal if name == "second" else None)
        for name in ("first", "second", "third")
    ]
    return model, members


def gates_of(layout: str, seed: int = 0) -> Gates:
    """``layout`` "each": every weight has a budget; "two": the last two compete; "all" compete."""
    _, (first, second, third) = layers(seed)
    groups = {
        "each": [Group((first,), 20), Group((second,), 50), Group((third,), 13)],
        "two": [Group((first,), 20), Group((second, third), 63)],
        "all": [Group((first, second, third), 83)],
    }
    return Gates(groups[layout])


@dataclass
class Aside:
    """What was so when a snapshot was taken."""

    kept: list[Tensor]
    used: list[Tensor]
    wires: Wires
    epoch: Epoch | None
    step: int


@dataclass
class Bench:
    """A run of ``gates`` whose weights move at random, the same way for the same ``seed``."""

    gates: Gates
    seed: int = 0
    moves: float = 0.05
    recorder: Recorder | None = field(init=False)
    aside: list[Aside] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.recorder = Recorder(self.gates, "small", SEED)
        self.gates.follow_largest()
        self.before = kept_now(self.gates)

    def begin(self) -> Bench:
        self._note(None, 0)
        return self

    def epochs(self, first: int, last: int) -> Bench:
        for number in range(first, last + 1):
            self.move(number)
            wires = watch_wires(self.gates, self.before)
            self.before = kept_now(self.gates)
            tested = number % 2 == 0
            epoch = Epoch(
                epoch=number,
                step=number * STEPS_PER_EPOCH,
                learning_rate=0.1,
                loss=2.5 / number,
                right=10 * number,
                images=1000,
                seconds=1.0 + number,
                test_right=number if tested else None,
                test_images=100 if tested else None,
                wires=wires,
            )
            self._note(epoch, epoch.step)
        return self

    @torch.no_grad()
    def move(self, number: int) -> None:
        generator = torch.Generator().manual_seed(1000 * self.seed + number)
        for member in self.gates:
            member.weight.add_(torch.randn(member.weight.shape, generator=generator) * self.moves)

    def _note(self, epoch: Epoch | None, step: int) -> None:
        if self.recorder is not None:
            self.recorder.note(self.gates, epoch, step)
        with torch.no_grad():
            kept = kept_now(self.gates)
            used = [member.used.clone() for member in self.gates]
        self.aside.append(Aside(kept, used, watch_wires(self.gates, kept), epoch, step))
