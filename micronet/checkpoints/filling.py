"""Put a checkpoint's tensors into an architecture: every one of them, or say which do not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from micronet.checkpoints.factory import on_meta
from micronet.checkpoints.oldkeys import modernised
from micronet.checkpoints.recognise import torchvision_guess
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import nn

_SHOWN: Final = 3
_ALIGNMENT_BYTES: Final = 64  # of what torch allocates


def filled(
    build: Callable[[], nn.Module],
    tensors: Mapping[str, torch.Tensor],
    *,
    what: str,
    name: str,
    real: bool = False,
    absent: Sequence[str] = (),
) -> nn.Module:
    """A model of ``build`` that has ``tensors`` for weights, in eval mode.

    Numbers are converted to the model's own floating-point type. ``real`` builds with memory from
    the start, for builders that compute. ``absent`` names tensors that are all zero and therefore
    in no file. MicronetError counts what is missing, unexpected or of
    another shape; ``what`` and ``name`` are the file and the architecture, for the message.
    """
    model = None if real else on_meta(build)
    if model is None:
        model = build()
    state = model.state_dict()  # it knows the version of each module, which torch asks for
    tensors = modernised({**_zeros(state, absent), **tensors}, state)
    _check(state, tensors, what, name)
    state.update({key: _laid_out(tensors[key].to(value.dtype)) for key, value in state.items()})
    model.load_state_dict(state, assign=True)
    if any(buffer.is_meta for buffer in model.buffers()):  # some are in no state dict
        return filled(build, tensors, what=what, name=name, real=True)
    return model.eval()


def _laid_out(tensor: torch.Tensor) -> torch.Tensor:
    """``tensor`` in memory as torch's own loading leaves it; sums come out in other bits elsewhere."""
    if tensor.is_contiguous() and tensor.data_ptr() % _ALIGNMENT_BYTES == 0:
        return tensor
    return tensor.clone(memory_format=torch.contiguous_format)


def _zeros(state: Mapping[str, torch.Tensor], names: Sequence[str]) -> dict[str, torch.Tensor]:
    return {
        name: torch.zeros(state[name].shape, dtype=state[name].dtype)
        for name in names
        if name in state
    }


def _check(
    wanted: Mapping[str, torch.Tensor], tensors: Mapping[str, torch.Tensor], what: str, name: str
) -> None:
    missing = [key for key in wanted if key not in tensors]
    unexpected = [key for key in tensors if key not in wanted]
    other = [
        f"{key} is {_look(tensors[key])}, expected {_look(value)}"
        for key, value in wanted.items()
        if key in tensors and not _fits(tensors[key], value)
    ]
    problems = [
        f"{len(found)} {kind} ({', '.join(found[:_SHOWN])}{', …' * (len(found) > _SHOWN)})"
        for kind, found in (("missing", missing), ("unexpected", unexpected), ("different", other))
        if found
    ]
    if problems:
        guess = torchvision_guess(tensors)
        hint = f"This looks like {guess}: --model {guess}" if guess and guess != name else None
        raise MicronetError(f"{what} does not fit {name}: {'; '.join(problems)}.", hint)


def _fits(found: torch.Tensor, wanted: torch.Tensor) -> bool:
    same_kind = found.is_floating_point() == wanted.is_floating_point()
    return found.shape == wanted.shape and same_kind


def _look(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"
