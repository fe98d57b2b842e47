"""Fold batch norms into the convolutions before them, in a copy of a network.

Which convolution is before which norm is seen in one run on one image: the norm's input is the very
tensor that the convolution returned, unchanged, and no other operator reads it. So networks that no
tracer can follow are folded too. Whoever uses the copy compares its outputs with the original's
(`prepare`), for a run on one image cannot show everything.
"""

from __future__ import annotations

import copy
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of a module; the tensors are kept alive, so that their ids stay theirs."""

    module: nn.Module
    before: Tensor
    after: Tensor
    versions: tuple[int, int]  # how often each had been changed in place


class _Readers(TorchDispatchMode):
    """Counts how many operators read each tensor."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.of: Counter[int] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count the operator's tensors, then run it."""
        del types
        leaves = tree_leaves((args, kwargs))
        self.of.update({id(leaf) for leaf in leaves if isinstance(leaf, Tensor)})
        return func(*args, **(kwargs or {}))


def fused(model: nn.Module, image: Tensor) -> nn.Module:
    """A copy of ``model`` (in eval mode) with every norm folded that ``image`` [1, …] shows to be.

    Raises what ``copy.deepcopy`` raises where the model cannot be copied.
    """
    pairs = _pairs(model, image)
    made = copy.deepcopy(model)
    modules = dict(made.named_modules(remove_duplicate=False))
    for norm_name, linear_name in pairs.items():
        linear, norm = modules[linear_name], modules[norm_name]
        fuse: Any = fuse_linear_bn_eval if isinstance(linear, nn.Linear) else fuse_conv_bn_eval
        _put(made, linear_name, fuse(linear, norm))
        _put(made, norm_name, nn.Identity())
    return made.eval()


def _pairs(model: nn.Module, image: Tensor) -> dict[str, str]:
    """Norm → convolution or linear layer whose output is its input; both called once."""
    calls: list[_Call] = []
    readers = _Readers()

    def watch(module: nn.Module, inputs: Any, output: Any) -> None:
        if inputs and isinstance(inputs[0], Tensor) and isinstance(output, Tensor):
            versions = inputs[0]._version, output._version
            calls.append(_Call(module, inputs[0], output, versions))
            readers.of[id(output)] = 0  # earlier ones were of a tensor that is gone

    watched = [
        each for each in model.modules() if isinstance(each, (*_CONVOLUTIONS, nn.Linear, *_NORMS))
    ]
    with _hooked(watched, watch), torch.no_grad(), readers:
        model(image)
    names = _names(model)
    times = Counter(call.module for call in calls)
    makers = {id(call.after): call for call in calls if not isinstance(call.module, _NORMS)}
    found = {}
    for call in calls:
        maker = makers.get(id(call.before))
        if maker is None or not {call.module, maker.module} <= set(names):
            continue
        once = times[call.module] == times[maker.module] == readers.of[id(call.before)] == 1
        unchanged = call.versions[0] == maker.versions[1]
        # A norm looks at dimension 1; the channels are there unless there is no batch, or are the last.
        second = call.before.dim() == 2 + len(getattr(maker.module, "kernel_size", ()))
        if once and unchanged and second and _foldable(call.module, maker.module, readers):
            found[names[call.module]] = names[maker.module]
    return found


def _foldable(norm: nn.Module, maker: nn.Module, readers: _Readers) -> bool:
    """Both compute with numbers of their own, and the norm with statistics that it has kept."""
    if not isinstance(norm, _NORMS) or type(norm).forward is not _BatchNorm.forward:
        return False  # a subclass may do more than to normalise
    if norm.running_mean is None or norm.running_var is None:
        return False
    hooks = (
        each for both in (maker, norm) for each in (both._forward_hooks, both._forward_pre_hooks)
    )
    own = (maker.weight, norm.weight, norm.running_mean, norm.running_var)
    plain = isinstance(maker.weight, nn.Parameter) and isinstance(maker.bias, nn.Parameter | None)
    return plain and not any(hooks) and all(readers.of[id(each)] <= 1 for each in own)


def _names(model: nn.Module) -> dict[nn.Module, str]:
    """The name of every module that has just one."""
    names: dict[nn.Module, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        names.setdefault(module, []).append(name)
    return {module: found[0] for module, found in names.items() if len(found) == 1 and found[0]}


def _put(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)


@contextmanager
def _hooked(modules: Sequence[nn.Module], watch: Any) -> Iterator[None]:
    handles = [module.register_forward_hook(watch) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
