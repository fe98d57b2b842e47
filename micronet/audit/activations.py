"""Activation bits, measured: the values that enter every multiplication on real images."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from micronet.audit.following import Following, follow
from micronet.audit.operands import operands
from micronet.audit.seen import Seen
from micronet.audit.watched import MODEL, Watched
from micronet.errors import MicronetError
from micronet.evaluation.network import check_weights

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor, nn

    from micronet.audit.watched import Role
    from micronet.checkpoints.loaded import LoadedTarget


class _Place(NamedTuple):
    """An operand of an operator of a layer; ``call`` numbers the calls in one forward pass."""

    layer: str
    operator: str
    operand: str
    weight: str | None
    role: Role
    call: int


def measure_activations(loaded: LoadedTarget, batches: Iterable[Tensor]) -> tuple[Watched, ...]:
    """What entered each multiplication, operand by operand, in the order in which they ran.

    Every example of ``batches`` runs alone, in evaluation mode and with the real weights.
    Raises MicronetError where there are no weights or no examples, where forward fails, and for
    values that are no numbers.
    """
    check_weights(loaded.model)
    found: dict[_Place, Seen] = {}
    for batch in batches:
        for example in batch.split(1):
            follow(loaded.model, example, _Watch(loaded.model, example, found))
    if not found:
        raise MicronetError(
            f"Nothing was multiplied in {loaded.name}: no example, or no operator that multiplies.",
            "Give images: --calibrate DIR",
        )
    return tuple(_watched(place, seen) for place, seen in found.items())


class _Watch(Following):
    """Adds the operands of every multiplication of one forward pass to what was seen before."""

    def __init__(self, model: nn.Module, example: Tensor, found: dict[_Place, Seen]) -> None:
        super().__init__(model, example)
        self._found = found
        self._calls: Counter[_Place] = Counter()

    def seen(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Look at the operands before the operator may overwrite them."""
        del kwargs
        layer = self.layer or MODEL
        for operand in operands(name, args, self.depends):
            weight = None if operand.other is None else self.source(operand.other)
            first = _Place(layer, name, operand.name, weight, operand.role, 0)
            place = first._replace(call=self._calls[first])
            self._calls[first] += 1
            try:
                self._found.setdefault(place, Seen()).add(operand.tensor, operand.axis)
            except ValueError as error:
                raise MicronetError(
                    f"{layer}: what enters its {name} is {error} (NaN or infinite).",
                    "Are these the right weights and the right preprocessing?",
                ) from error


def _watched(place: _Place, seen: Seen) -> Watched:
    coded = seen.coded()
    return Watched(
        layer=place.layer,
        operator=place.operator,
        operand=place.operand,
        weight=place.weight,
        call=place.call,
        role=place.role,
        examples=seen.examples,
        elements=seen.elements,
        distinct=coded.distinct,
        codes=coded.codes,
        lowest=float(seen.lowest),
        highest=float(seen.highest),
        code=coded.code,
        bits=coded.bits,
        grid=coded.grid,
    )
