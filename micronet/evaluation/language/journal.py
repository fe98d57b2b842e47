"""How far an evaluation has come, in one file that is replaced in one step.

A safetensors file: the tensors of the model's state, and as metadata the totals, the state's form and
which run it is of. Reading it runs nothing and takes no more memory than the file has bytes.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import torch

from micronet.checkpoints import safetensors_file
from micronet.checkpoints.atomic import write_bytes
from micronet.checkpoints.source import RefusedError, mapped
from micronet.errors import MicronetError
from micronet.evaluation.language.losses import Totals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FORMAT: Final = "micronet.perplexity-journal/1"
MAX_DIGITS: Final = 2000  # of a sum's numerator; float64 needs 309 + 324, and the count some
_AGAIN: Final = "Delete it to start from the beginning."


@dataclass(frozen=True)
class Journal:
    """The file ``path``, for the run that ``identity`` describes."""

    path: Path
    identity: Mapping[str, str]

    def save(self, totals: Totals, state: Any) -> None:
        """Write both; MicronetError if the disk will not have it, or the state has another form."""
        from safetensors.torch import save

        tensors: list[torch.Tensor] = []
        form = _form(state, tensors)
        told = {**asdict(totals), "nats": str(totals.nats)}
        content = {"identity": dict(self.identity), "totals": told, "state": form}
        metadata = {"format": FORMAT, "journal": json.dumps(content, allow_nan=False)}
        plain = [tensor.detach().cpu() for tensor in tensors]
        # Copies: two names of one tensor would be refused, and so would gaps between its numbers.
        copies = [tensor.clone(memory_format=torch.contiguous_format) for tensor in plain]
        named = {str(at): tensor for at, tensor in enumerate(copies)}
        write_bytes(self.path, save(named, metadata))

    def load(self, device: torch.device) -> tuple[Totals, Any] | None:
        """What was saved last, or None; MicronetError if it is of another run, or is damaged."""
        if not self.path.exists():
            return None
        try:
            with mapped(self.path) as data:
                if not safetensors_file.is_safetensors(data):
                    raise RefusedError("it is no safetensors file")
                tensors, metadata = safetensors_file.read(self.path, data)
            if metadata.get("format") != FORMAT:
                raise RefusedError(f"its format is not {FORMAT}")
            content = json.loads(metadata["journal"])
            identity = {str(key): str(value) for key, value in content["identity"].items()}
            totals = _totals(content["totals"])
            moved = {name: tensor.to(device) for name, tensor in tensors.items()}
            state = _filled(content["state"], moved)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
            message = f"{self.path}: is not the journal of an evaluation ({reason})."
            raise MicronetError(message, _AGAIN) from error
        self._check(identity)
        return totals, state

    def _check(self, found: Mapping[str, str]) -> None:
        names = [*self.identity, *(name for name in found if name not in self.identity)]
        for name in names:
            here, there = self.identity.get(name, "nothing"), found.get(name, "nothing")
            if here != there:
                raise MicronetError(
                    f"{self.path}: is of another evaluation: {name} {there[:80]}, expected {here[:80]}.",
                    _AGAIN,
                )


def _totals(told: Mapping[str, Any]) -> Totals:
    if not re.fullmatch(rf"\d{{1,{MAX_DIGITS}}}(/[1-9]\d{{0,{MAX_DIGITS}}})?", told["nats"]):
        raise ValueError("its sum is no fraction")
    made = Totals(**{**told, "nats": Fraction(told["nats"])})
    counts = (made.tokens, made.nonfinite, made.compared)
    first = -1 if made.first_nonfinite is None else made.first_nonfinite
    if not all(type(count) is int and count >= 0 for count in counts) or type(first) is not int:
        raise ValueError("a count is no count")
    if type(made.largest_difference) is not float or not math.isfinite(made.largest_difference):
        raise ValueError("its largest difference is no number")
    if made.nonfinite > made.tokens or first >= made.tokens or (first < 0) != (made.nonfinite == 0):
        raise ValueError("its counts contradict each other")
    return made


def _form(value: Any, tensors: list[torch.Tensor]) -> Any:
    """``value`` for JSON; its tensors go to the end of ``tensors``, and their places stand for them."""
    if isinstance(value, torch.Tensor):
        tensors.append(value)
        return {"tensor": str(len(tensors) - 1)}
    if type(value) in (tuple, list):
        return {type(value).__name__: [_form(item, tensors) for item in value]}
    if type(value) is dict and all(type(key) is str for key in value):
        return {"dict": {key: _form(item, tensors) for key, item in value.items()}}
    if value is None or type(value) in (bool, int, str):
        return {"value": value}
    if type(value) is float:
        return {"float": value.hex()}
    raise MicronetError(
        f"The model's state holds a {type(value).__name__}, which cannot be saved on the way.",
        "Return tensors in tuples, lists and dictionaries.",
    )


def _filled(form: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Any:
    """What ``_form`` described."""
    ((kind, held),) = form.items()
    if kind == "tensor":
        return tensors[held]
    if kind in ("tuple", "list"):
        items: Sequence[Any] = [_filled(item, tensors) for item in held]
        return tuple(items) if kind == "tuple" else items
    if kind == "dict":
        return {key: _filled(item, tensors) for key, item in held.items()}
    if kind == "float":
        return float.fromhex(held)
    if kind == "value" and (held is None or type(held) in (bool, int, str)):
        return held
    raise ValueError(f"its state holds '{kind[:20]}'")
