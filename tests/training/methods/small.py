"""Small real networks behind gates, trained by real SGD as the loop does it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from micronet.training.gates import Gated, Gates, Group, gated
from micronet.training.method import Method, Moment, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STEPS, STEPS_PER_EPOCH = 12, 4


class Small(nn.Module):
    """[n, 8, 3, 3] → [n, 5]: a 1×1 convolution, two linear layers, and a dense one behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(8, 10, 1, bias=False)
        self.second = nn.Linear(10, 12)
        self.third = nn.Linear(12, 9, bias=False)
        self.last = nn.Linear(9, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.first(x)).mean((2, 3))
        return self.last(torch.tanh(self.third(torch.tanh(self.second(x)))))  # type: ignore[no-any-return]


def small_network(seed: int, layout: str) -> tuple[Small, Gates]:
    """A network whose first two weights have some illegal entries, the same ones for every seed.

    ``layout`` "each": every weight has a budget of its own; "together": all compete.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Small()
    masks = torch.Generator().manual_seed(5)
    members = []
    layers: dict[str, nn.Conv2d | nn.Linear] = {
        "first": model.first,
        "second": model.second,
        "third": model.third,
    }
    for name, owner in layers.items():
        chance = torch.rand(owner.weight.shape, generator=masks)
        legal = None if name == "third" else chance < 0.7
        members.append(gated(owner, "weight", f"{name}.weight", legal))
    budgets = (17, 30, 23)
    if layout == "together":
        return model, Gates([Group(tuple(members), sum(budgets))])
    return model, Gates([Group((m,), b) for m, b in zip(members, budgets, strict=True)])


@dataclass
class Bench:
    """One run of a method on a small network; ``data`` decides the images, ``seed`` the rest."""

    method: Method
    layout: str = "together"
    seed: int = 0
    data: int = 0
    gradients_of: Bench | None = None
    always_the_same: bool = False
    model: Small = field(init=False)
    gates: Gates = field(init=False)
    run: Run = field(init=False)
    loss: float = field(init=False)
    last_gradients: list[Tensor | None] = field(init=False)

    def __post_init__(self) -> None:
        self.model, self.gates = small_network(self.seed, self.layout)
        optimizer = torch.optim.SGD(
            self.model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3
        )
        generator = torch.Generator().manual_seed(self.seed)
        moment = Moment(0, STEPS, STEPS_PER_EPOCH)
        self.run = Run(self.gates, optimizer, generator, moment)

    def begin(self) -> Bench:
        self.method.begin(self.run)
        return self

    def train(self, steps: int, watch: Callable[[Bench, str], None] = lambda *_: None) -> Bench:
        """So many steps; ``watch`` is called in each: "forward", "backward" and "step"."""
        for _ in range(steps):
            self.method.before_step(self.run)
            self.run.optimizer.zero_grad(set_to_none=True)
            number = 0 if self.always_the_same else self.run.now.step
            batch = torch.Generator().manual_seed(1000 * self.data + number)
            images = torch.randn(16, 8, 3, 3, generator=batch)
            labels = torch.randint(5, (16,), generator=batch)
            loss = nn.functional.cross_entropy(self.model(images), labels)
            self.loss = float(loss.detach())
            watch(self, "forward")
            loss.backward()
            if self.gradients_of is not None:
                self._take_gradients(self.gradients_of)
            self.last_gradients = [
                None if p.grad is None else p.grad.clone() for p in self.model.parameters()
            ]
            self.method.after_backward(self.run)
            watch(self, "backward")
            self.run.optimizer.step()
            self.method.after_step(self.run)
            watch(self, "step")
            self.run.now = replace(self.run.now, step=self.run.now.step + 1)
        return self

    def _take_gradients(self, other: Bench) -> None:
        for mine, theirs in zip(self.model.parameters(), other.last_gradients, strict=True):
            mine.grad = None if theirs is None else theirs.clone()

    def finish(self) -> Bench:
        self.method.finish(self.run)
        return self

    def stored(self) -> dict[str, Any]:
        """What a stored run has: weights and kept edges, optimizer, memory, generator, step."""
        return copy.deepcopy(
            {
                "model": self.model.state_dict(),
                "optimizer": self.run.optimizer.state_dict(),
                "memory": self.run.memory,
                "generator": self.run.generator.get_state(),
                "step": self.run.now.step,
            }
        )

    def resume(self, stored: dict[str, Any]) -> Bench:
        stored = copy.deepcopy(stored)
        self.model.load_state_dict(stored["model"])
        self.run.optimizer.load_state_dict(stored["optimizer"])
        self.run.memory.update(stored["memory"])
        self.run.generator.set_state(stored["generator"])
        self.run.now = replace(self.run.now, step=stored["step"])
        self.method.resume(self.run)
        return self

    def kept(self) -> list[int]:
        """Edges of each group now."""
        return [sum(int(m.gate.kept.sum()) for m in group.members) for group in self.gates.groups]

    def budgets(self) -> list[int]:
        return [group.budget for group in self.gates.groups]

    def legal(self) -> list[int]:
        return [sum(m.legal_entries for m in group.members) for group in self.gates.groups]


def lone_run(
    weights: Sequence[Tensor],
    budget: int,
    *,
    legal: Sequence[Tensor | None] | None = None,
    now: Moment | None = None,
    momentum: float = 0.9,
) -> Run:
    """A run of weights alone, in one group, with SGD of rate 1."""
    members = []
    for index, weight in enumerate(weights):
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        layer.weight.data.copy_(weight)
        members.append(gated(layer, "weight", f"{index}", None if legal is None else legal[index]))
    optimizer = torch.optim.SGD([m.weight for m in members], lr=1.0, momentum=momentum)
    gates = Gates([Group(tuple(members), budget)])
    now = Moment(0, 100, 10) if now is None else now
    return Run(gates, optimizer, torch.Generator().manual_seed(0), now)


def set_kept(member: Gated, kept: Tensor) -> None:
    """The edges of a weight, and zero elsewhere."""
    member.gate.kept.copy_(kept)
    with torch.no_grad():
        member.weight.mul_(kept)


def set_momentum(run: Run, member: Gated, momentum: Tensor) -> None:
    """What SGD remembers of a weight."""
    run.optimizer.state[member.weight]["momentum_buffer"] = momentum.clone()


def only(run: Run) -> Gated:
    """The one weight of a run."""
    (member,) = run.gates
    return member
