"""Runs fvcore and thop on a twin of the model that is thrown away: they leave marks, print and warn.

fvcore keeps its hooks when a forward raises; thop leaves buffers in every module that it has no rule
for, and the root logger with a handler. Here all of that happens to the twin, in silence.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections import Counter
from dataclasses import dataclass, field
from importlib import metadata
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor

    from micronet.models import InputSpec

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
# fvcore has a formula of its own for these two equations; for all others it asks numpy.
_EXACT_EINSUMS = ("abc,abd->acd", "abc,adc->adb")


@dataclass(frozen=True)
class Peer:
    """What another counter says."""

    tool: str
    version: str
    total: int
    layers: Mapping[str, int] = field(default_factory=dict)
    """By module, where the tool says so."""


@dataclass(frozen=True)
class Calls:
    """What the twin's own layers did, seen by hooks of ours."""

    layers: Mapping[str, Counter[int]]
    """Multiply-accumulates of each call, by module, of plain convolutions and linear layers."""
    einsum_rounding: int
    """By how much fvcore's count of einsum is off (see ``_rounding``)."""


def twin_of(model: nn.Module) -> nn.Module:
    """A dense copy of ``model`` in memory on the CPU, in evaluation mode.

    Tensors without memory become zeros: what the tools count does not depend on values, and zero is
    an index that every table has. Raises MicronetError where the model cannot be copied.
    """
    memo: dict[int, Any] = {}
    for module in model.modules():
        for held in vars(module).values():  # pruned weights are no leaves, which deepcopy refuses
            if isinstance(held, torch.Tensor) and not held.is_leaf:
                memo[id(held)] = held.detach().clone()
    with _asked("a copy of the model"):
        twin: nn.Module = copy.deepcopy(model, memo)
        twin._apply(_in_memory)
        return twin.cpu().eval()


def _in_memory(tensor: Tensor) -> Tensor:
    return torch.zeros(tensor.shape, dtype=tensor.dtype) if tensor.is_meta else tensor


def example(inputs: InputSpec) -> Tensor:
    """A real input: seeded random numbers, or the token 1."""
    dtype: torch.dtype = getattr(torch, inputs.dtype)
    if not dtype.is_floating_point:
        return torch.ones(inputs.shape, dtype=dtype)
    return torch.randn(inputs.shape, generator=torch.Generator().manual_seed(0)).to(dtype)


def ask_fvcore(model: nn.Module, inputs: InputSpec) -> Peer:
    """The total of fvcore's FlopCountAnalysis; raises MicronetError where it is missing or fails."""
    with _asked("fvcore"):
        from fvcore.nn import FlopCountAnalysis

        return Peer(
            "fvcore", _version("fvcore"), int(FlopCountAnalysis(model, example(inputs)).total())
        )


def ask_thop(model: nn.Module, inputs: InputSpec) -> Peer:
    """The total of thop.profile and its layers; raises MicronetError where it is missing or fails."""
    with _asked("thop"):
        import thop

        found = thop.profile(model, (example(inputs),), verbose=False, ret_layer_info=True)
        layers = dict(_flattened(found[2])) or {"": int(found[0])}
        return Peer("thop", _version("thop"), int(found[0]), layers)


def _flattened(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int]]:
    for name, (operations, _, below) in tree.items():
        yield prefix + name, int(operations)
        yield from _flattened(below, f"{prefix}{name}.")


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


@contextlib.contextmanager
def _asked(tool: str) -> Iterator[None]:
    try:
        with _silence():
            yield
    except Exception as error:  # another tool, on anybody's network, may raise anything
        if isinstance(error, ImportError) and tool in ("fvcore", "thop"):
            raise _missing(tool, error) from error
        first = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise MicronetError(f"{tool} fails on this network: {first}") from error


def _missing(tool: str, error: ImportError) -> MicronetError:
    if (error.name or "").startswith("distutils"):  # gone from Python 3.12, and thop asks it
        why = f"{tool} needs distutils, which this Python has only with setuptools."
        return MicronetError(why, "pip install setuptools")
    return MicronetError(f"{tool} cannot be imported ({error}).", f"pip install {tool}")


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Nothing printed, warned or logged; random numbers, fast paths and handlers as they were."""
    root = logging.getLogger()
    handlers, disabled = list(root.handlers), root.manager.disable
    fast_path = torch.backends.mha.get_fastpath_enabled()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(torch.enable_grad())
        warnings.simplefilter("ignore")
        logging.disable()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast_path)
            logging.disable(disabled)
            root.handlers[:] = handlers


def watch(model: nn.Module, inputs: InputSpec) -> Calls:
    """Run the twin once and note what each plain convolution and linear layer multiplies."""
    layers: dict[str, Counter[int]] = {}

    def note(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(layer: nn.Module, _: object, result: Tensor) -> None:
            weight: Any = layer.weight
            layers.setdefault(name, Counter())[result.numel() * weight[0].numel()] += 1

        return hook

    handles = [
        layer.register_forward_hook(note(name))
        for name, layer in model.named_modules()
        if type(layer) in (nn.Linear, *_CONVOLUTIONS)
    ]
    einsums = _Einsums()
    try:
        with _asked("a second run of the model"), torch.no_grad(), einsums:
            model(example(inputs))
    finally:
        for handle in handles:
            handle.remove()
    return Calls(layers, einsums.rounding)


class _Einsums(TorchFunctionMode):
    """Adds up what fvcore's einsum is off by."""

    rounding = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is torch.einsum and len(args) == 3:
            self.rounding += _rounding(*args)
        return func(*args, **(kwargs or {}))


def _rounding(equation: str, left: Tensor, right: Tensor) -> int:
    """What fvcore adds or loses: it reads half the operations of an einsum from a text of numpy's."""
    equation = equation.replace(" ", "")
    letters = {
        letter: chr(97 + i) for i, letter in enumerate(dict.fromkeys(filter(str.isalpha, equation)))
    }
    if "".join(letters.get(sign, sign) for sign in equation) in _EXACT_EINSUMS or "." in equation:
        return 0
    read, _, written = equation.partition("->")
    extents = {
        letter: extent
        for term, operand in zip(read.split(","), (left, right), strict=True)
        for letter, extent in zip(term, operand.shape, strict=True)
    }
    summed = bool(written) and set(extents) > set(written)
    products = prod(extents.values())  # an outer product has no sums, and torch runs it as a `mul`
    printed = float(f"{products * (1 + summed) + 1:.3e}")  # numpy.einsum_path: opt_cost
    return int(printed / 2) - products * summed
