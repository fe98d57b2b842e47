"""All gates of a network: which weights are sparse, and how many entries they may keep together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from micronet.training.gate import Gate
from micronet.training.selection import Candidates, select

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Version = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Gated:
    """A weight behind a gate. ``name`` is the tensor's in a plain network ("conv1.weight")."""

    name: str
    owner: nn.Module
    tensor: str
    gate: Gate

    @property
    def weight(self) -> nn.Parameter:
        """Every entry, kept or not: what is learned."""
        chains: Any = self.owner.parametrizations
        found: nn.Parameter = chains[self.tensor].original
        return found

    @property
    def used(self) -> Tensor:
        """The weight as the network uses it, zeros where nothing is kept."""
        found: Tensor = getattr(self.owner, self.tensor)
        return found

    @property
    def legal_entries(self) -> int:
        """How many entries may ever be kept."""
        legal = self.gate.legal
        return self.weight.numel() if legal is None else int(legal.sum())


@dataclass(frozen=True)
class Group:
    """Weights that compete with each other for ``budget`` entries."""

    members: tuple[Gated, ...]
    budget: int


class Chooser:
    """Lets one group keep its largest weights, and knows whether they have moved since.

    It hangs on the gates of its group and nowhere else, so that a deep copy of a network looks at
    the weights of the copy. ``threshold`` is the smallest magnitude that was kept last time.
    """

    def __init__(self, group: Group) -> None:
        self.group = group
        self.threshold: float | None = None
        self._chosen: Version | None = None

    def __call__(self) -> None:
        """Choose, unless the choice still stands: nothing was written to weights or ``kept`` since.

        What is written through ``.data``, past torch's version counter, is noticed one step late.
        On the meta device there is nothing to choose by.
        """
        if any(member.weight.is_meta for member in self.group.members):
            return
        if self._chosen is None or self._version() != self._chosen:
            self.choose(self.group.budget)

    def forget(self, _: Tensor) -> None:
        """A gradient has arrived: fused optimisers move weights without counting a new version."""
        self._chosen = None

    def choose(self, count: int, *, among_kept: bool = False) -> None:
        """Keep the ``count`` largest, of all legal entries or of those that are kept now."""
        gates = [member.gate for member in self.group.members]
        legal = [gate.kept.clone() if among_kept else gate.legal for gate in gates]
        self.threshold = select(
            [
                Candidates(member.weight, may, member.gate.kept)
                for member, may in zip(self.group.members, legal, strict=True)
            ],
            count,
        )
        follows = count == self.group.budget and not among_kept
        self._chosen = self._version() if follows else None

    def _version(self) -> Version | None:
        """Changes when a tensor of the group is written to, moved or replaced; None: nobody counts."""
        tensors = [t for member in self.group.members for t in (member.weight, member.gate.kept)]
        if any(tensor.is_inference() for tensor in tensors):
            return None
        return tuple((id(tensor), tensor.data_ptr(), tensor._version) for tensor in tensors)


class Gates:
    """The gates of one network, in groups that each keep exactly their budget."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self._choosers = tuple(Chooser(group) for group in groups)
        for chooser in self._choosers:
            for member in chooser.group.members:
                member.gate.chooser = chooser

    @classmethod
    def of(cls, model: nn.Module) -> Gates:
        """The gates that ``model`` has already; a deep copy of a network has its own."""
        gates = cls(())
        found = dict.fromkeys(each.gate.chooser for each in gated_weights(model))
        gates._choosers = tuple(chooser for chooser in found if chooser is not None)
        return gates

    @property
    def groups(self) -> tuple[Group, ...]:
        """Weights that compete with each other, and their budgets."""
        return tuple(chooser.group for chooser in self._choosers)

    def __iter__(self) -> Iterator[Gated]:
        return (member for group in self.groups for member in group.members)

    @property
    def budget(self) -> int:
        """Entries that all groups keep together."""
        return sum(group.budget for group in self.groups)

    @property
    def kept(self) -> int:
        """Entries that are kept now."""
        return sum(int(member.gate.kept.sum()) for member in self)

    @property
    def thresholds(self) -> tuple[float | None, ...]:
        """τ of each group: the smallest magnitude that it kept when it last chose."""
        return tuple(chooser.threshold for chooser in self._choosers)

    def follow_largest(self) -> None:
        """From now on every forward pass uses the largest weights of each group (DNW's rule)."""
        for chooser in self._choosers:
            for member in chooser.group.members:
                member.gate.choose, member.gate.moves = chooser, chooser.forget

    def hold(self) -> None:
        """From now on the choice stays as it is, until somebody changes it."""
        for member in self:
            member.gate.choose = member.gate.moves = None

    def choose_largest(
        self, counts: Sequence[int] | None = None, *, among_kept: bool = False
    ) -> None:
        """Let every group keep its largest weights, once: its budget, or ``counts`` of them.

        ``among_kept``: of those that are kept now, not of all legal ones.
        """
        counts = [group.budget for group in self.groups] if counts is None else counts
        for chooser, count in zip(self._choosers, counts, strict=True):
            chooser.choose(count, among_kept=among_kept)


def gated(owner: nn.Module, tensor: str, name: str, legal: Tensor | None = None) -> Gated:
    """Put a gate on ``owner``'s ``tensor``; ``legal`` (boolean, its shape) are entries that may be."""
    gate = Gate(getattr(owner, tensor).detach(), legal)
    parametrize.register_parametrization(owner, tensor, gate, unsafe=True)
    return Gated(name, owner, tensor, gate)


def gated_weights(model: nn.Module) -> Iterator[Gated]:
    """Every weight of ``model`` that is behind a gate; one that several modules share, each time."""
    for path, owner in model.named_modules(remove_duplicate=False):
        if parametrize.is_parametrized(owner):
            for tensor, chain in owner.parametrizations.items():
                if gate := next((each for each in chain if isinstance(each, Gate)), None):
                    yield Gated(f"{path}.{tensor}".lstrip("."), owner, tensor, gate)


def plain_state(model: nn.Module) -> Mapping[str, Tensor]:
    """The state of ``model`` as if it had no gates: their weights as used, zeros included."""
    with torch.no_grad():
        used = {_behind(each): (each.name, each.used.detach()) for each in gated_weights(model)}
    state = {}
    for name, value in model.state_dict().items():
        behind = next((prefix for prefix in used if name.startswith(prefix)), None)
        plain, held = (name, value) if behind is None else used[behind]
        state[plain] = held
    return state


def _behind(each: Gated) -> str:
    """What the keys of a gated weight begin with in a state: "conv1.parametrizations.weight."."""
    return f"{each.name.removesuffix(each.tensor)}parametrizations.{each.tensor}."
