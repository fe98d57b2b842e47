"""Early exits and the like: the mean number of operations over real examples.

The rules of the MicroNet Challenge count "mean arithmetic operations per example" (Scoring §2). Where
control flow depends on the data, every example runs alone, and examples that ran the same operators on
the same shapes took the same path. Each path is counted once, by the counter that counts everything
else. What has to be stored, and which edges are alive, is what any of the paths needs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.utils._pytree import tree_map

from micronet.audit.following import Following, follow
from micronet.errors import MicronetError
from micronet.evaluation.network import answering, check_weights
from micronet.scoring.api import learned_numbers
from micronet.scoring.bits import FULL
from micronet.scoring.ir import Trace
from micronet.scoring.network import Network
from micronet.scoring.rulebook import rule_book
from micronet.scoring.tally import Cost, price, seen_by, tally
from micronet.scoring.trace import trace
from micronet.scoring.work import work

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor, nn

    from micronet.checkpoints.loaded import LoadedTarget
    from micronet.scoring.rulebook import RuleBook

MOST_PATHS: Final = 256
_SPECIAL: Final = (0.0, 1.0, 2.0, 3.0, 4.0)
"""Factors and exponents that are priced unlike others; any other number is as good as the next."""


@dataclass(frozen=True)
class Path:
    """One way through the network: how many examples took it, the first of them, and what it costs."""

    examples: int
    first: int
    cost: Cost
    modules: tuple[str, ...]
    """Modules that ran on this path and not on every other one, in order."""


@dataclass(frozen=True)
class Calibrated:
    """Costs per example, averaged over ``examples`` exactly, and the paths that they took.

    ``mean`` is as the rule book weighs and adds them up. ``storage_bits`` is that of all paths together.
    """

    rules: str
    examples: int
    mean: Fraction
    multiplications: Fraction
    additions: Fraction
    other: Fraction
    storage_bits: int
    paths: tuple[Path, ...]
    notes: tuple[str, ...] = ()

    @property
    def by_count(self) -> Mapping[Fraction, int]:
        """How many examples cost how many operations, the cheapest first."""
        found: dict[Fraction, int] = {}
        for path in sorted(self.paths, key=lambda each: each.cost.total):
            found[path.cost.total] = found.get(path.cost.total, 0) + path.examples
        return found


def _counting(rules: str) -> RuleBook:
    book = rule_book(rules)
    if book.counter != "trace":
        raise MicronetError(
            f"{book.name} counts from the wiring, not from what runs.", "Take --rules micronet2019."
        )
    return book


def calibrated_row(found: Calibrated) -> dict[str, Any]:
    """For JSON: exact means as texts such as "54241/2", counts as numbers."""
    parts = ("multiplications", "additions", "other")
    return {
        "rules": found.rules,
        "examples": found.examples,
        "operations": str(found.mean),
        **{part: str(getattr(found, part)) for part in parts},
        "storage_bits": found.storage_bits,
        "paths": [
            {
                "examples": path.examples,
                "operations": str(path.cost.total),
                **{part: getattr(path.cost, part) for part in parts},
                "modules": list(path.modules),
            }
            for path in found.paths
        ],
    }


@dataclass
class _Group:
    """Examples that took one path; the first stands for all."""

    example: Tensor
    first: int
    modules: tuple[str, ...]
    examples: int = field(default=1)


@dataclass(frozen=True)
class Walked:
    """The paths that the examples took through a network, each traced."""

    model: nn.Module
    groups: tuple[_Group, ...]
    traces: tuple[Trace, ...]


def mean_operations(loaded: LoadedTarget, batches: Iterable[Tensor], rules: str) -> Calibrated:
    """What ``loaded`` costs an example of ``batches`` on average, under the rule book ``rules``.

    Raises what ``walk`` and ``mean_over`` do.
    """
    _counting(rules)
    return mean_over(walk(loaded, batches), rules)


def walk(loaded: LoadedTarget, batches: Iterable[Tensor]) -> Walked:
    """Run every example of ``batches`` alone, and trace each path that one of them took.

    Raises MicronetError without weights or examples, where forward fails, and where (nearly) every
    example takes a path of its own, more than 256 in all.
    """
    check_weights(loaded.model)
    groups = _grouped(loaded.model, batches)
    if not groups:
        raise MicronetError("There is no example to average over.", "Give images: --calibrate DIR")
    traces = (_traced(loaded.model, group.example) for group in groups)
    return Walked(loaded.model, tuple(groups), tuple(traces))


def mean_over(walked: Walked, rules: str) -> Calibrated:
    """What the examples cost on average under the rule book ``rules``, with what is stored for them.

    Raises MicronetError for an operator without a price, and for a rule book that does not count what
    runs.
    """
    book = _counting(rules)
    groups, traces = walked.groups, walked.traces
    whole = Network(_together(traces))
    bill = tally(whole, book, learned_numbers(walked.model))
    costs = _costs(whole, traces, book, freebie=bill.freebie)
    everywhere = set(groups[0].modules).intersection(*(group.modules for group in groups))
    paths = tuple(
        Path(g.examples, g.first, cost, tuple(m for m in g.modules if m not in everywhere))
        for g, cost in zip(groups, costs, strict=True)
    )
    examples = sum(path.examples for path in paths)

    def mean(numbers: Iterable[Fraction | int]) -> Fraction:
        pairs = zip(paths, numbers, strict=True)
        return (
            Fraction(sum((path.examples * number for path, number in pairs), Fraction(0)))
            / examples
        )

    return Calibrated(
        book.name,
        examples,
        mean(cost.total for cost in costs),
        mean(cost.multiplications for cost in costs),
        mean(cost.additions for cost in costs),
        mean(cost.other for cost in costs),
        bill.storage_bits,
        paths,
        bill.notes,
    )


def _grouped(model: nn.Module, batches: Iterable[Tensor]) -> list[_Group]:
    """The examples by the path that they took, in the order in which the paths were first taken."""
    groups: dict[str, _Group] = {}
    count = 0
    for batch in batches:
        for example in batch.split(1):
            taken = _Path(model, example)
            follow(model, example, taken)
            group = groups.get(taken.digest)
            if group is not None:
                group.examples += 1
            else:
                groups[taken.digest] = _Group(example, count, taken.modules)
            count += 1
            if len(groups) > MOST_PATHS:
                raise MicronetError(
                    f"{count:,} examples took {len(groups):,} different paths, expected {MOST_PATHS:,} "
                    "at most.",
                    "Calibrate with fewer images.",
                )
    return list(groups.values())


class _Path(Following):
    """Writes down every operator that runs: where, on which shapes, with which settings."""

    def __init__(self, model: nn.Module, example: Tensor) -> None:
        super().__init__(model, example)
        self._digest = sha256()
        self._modules: dict[str, None] = {}

    @property
    def digest(self) -> str:
        """The same for two examples only if the same was computed for them."""
        return self._digest.hexdigest()

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that called an operator themselves, in order."""
        return tuple(self._modules)

    def seen(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Add one operator."""
        if self.layer:
            self._modules[self.layer] = None
        look = (self.layer, name, *tree_map(self._look, (args, kwargs)))
        self._digest.update(repr(look).encode())

    def _look(self, leaf: object) -> object:
        if isinstance(leaf, torch.Tensor):
            return (*leaf.shape, str(leaf.dtype), "" if self.depends(leaf) else self.source(leaf))
        if isinstance(leaf, float):
            return leaf if leaf in _SPECIAL else "a number"
        return leaf


def _traced(model: nn.Module, example: Tensor) -> Trace:
    with answering(example):
        return trace(model, [example])


def _together(traces: Sequence[Trace]) -> Trace:
    """One trace that runs every path: what any of them reads is read, what any of them uses is used."""
    return Trace(
        operations=tuple(op for each in traces for op in each.operations),
        inputs=tuple(value for each in traces for value in each.inputs),
        outputs=tuple(value for each in traces for value in each.outputs),
        roots={key: root for each in traces for key, root in each.roots.items()},
    )


def _costs(whole: Network, traces: Sequence[Trace], book: RuleBook, *, freebie: bool) -> list[Cost]:
    """The cost of each of the paths that ``whole`` runs."""
    bits = book.freebie_bits if freebie else FULL
    path_of = {id(op): i for i, each in enumerate(traces) for op in each.operations}
    costs = [Cost()] * len(traces)
    for entry in work(whole, book.edges, fold=book.fold_batch_norm):
        if seen_by(book, entry.operation):
            costs[path_of[id(entry.operation)]] += price(entry, book, bits)
    return costs
