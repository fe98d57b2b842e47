"""One forward pass under a dispatch mode: every ATen operator that really runs, with real shapes.

The input lives on the meta device and the weights stay real. What depends on the input is computed as
shapes only; what does not is a constant and is computed for real, so masks, parametrisations and
fake-quantised weights fold away by themselves. Where Python code asks for the value of an activation
(data-dependent control flow), the pass is repeated on one real random input and a note says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.modules import module as module_hooks
from torch.utils import _pytree

from micronet.errors import MicronetError
from micronet.scoring.composites import Composites
from micronet.scoring.ir import Trace
from micronet.scoring.recorder import DataDependentError, Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

from contextlib import ExitStack, contextmanager
from dataclasses import fields, is_dataclass


def trace(model: nn.Module, inputs: Sequence[Tensor]) -> Trace:
    """The operations of ``model(*inputs)`` in evaluation mode.

    ``inputs`` give shapes and types; their values are used only if control flow depends on data.
    The model is left exactly as it was: no hook, attribute, buffer value or training flag changes,
    also when its forward raises.

    Raises MicronetError where forward fails or returns no tensor.
    """
    model = getattr(model, "_orig_mod", model)  # what torch.compile wraps
    _only_strided(model)
    with quiet(model):
        try:
            return _run(model, inputs, shape_only=True)
        except MicronetError:
            raise
        except Exception as why:  # whatever it is, the real run below shows it again
            if any(tensor.is_meta for tensor in model.parameters()):
                if isinstance(why, (DataDependentError, NotImplementedError)):
                    raise _needs_values(model) from why
                raise _failed(model, inputs, why) from why
            reason = _first_line(why)
        try:
            with _buffers_kept(model):
                found = _run(model, _real(inputs), shape_only=False)
        except MicronetError:
            raise
        except Exception as why:  # the user's own forward may raise anything
            raise _failed(model, inputs, why) from why
    note = (
        f"traced on one real random input, because shapes alone do not decide what runs ({reason})"
    )
    return Trace(
        found.operations, found.inputs, found.outputs, found.roots, (note,), shape_only=False
    )


def _run(model: nn.Module, inputs: Sequence[Tensor], *, shape_only: bool) -> Trace:
    recorder = Recorder(model, shape_only=shape_only)
    given = [recorder.add_input(value) for value in inputs]
    with ExitStack() as stack:
        stack.enter_context(_unchanged(model))  # the first pass leaves nothing for the second
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(torch.no_grad())
        stack.enter_context(scopes(model, recorder.scopes))
        stack.enter_context(Composites(recorder))
        stack.enter_context(recorder)
        result = model(*given)
    tensors = list(_tensors_in(result))
    if not tensors:
        message = (
            f"{type(model).__name__}.forward returned {type(result).__name__} without a tensor."
        )
        raise MicronetError(message, "Wrap the model so that forward returns its outputs.")
    found = recorder.finish(tensors)
    if not any(value.dynamic for value in found.outputs):
        raise MicronetError(
            f"What {type(model).__name__}.forward returns does not depend on its input.",
            "Compute with torch throughout: numpy and lists cannot be followed.",
        )
    return found


def _tensors_in(result: object) -> Iterator[Tensor]:
    """Every tensor of a result; an object that hides tensors is an error, never ignored."""
    for leaf in _pytree.tree_leaves(result):
        if isinstance(leaf, torch.Tensor):
            yield leaf
        elif is_dataclass(leaf) and not isinstance(leaf, type):
            yield from _tensors_in([getattr(leaf, field.name) for field in fields(leaf)])
        elif any(isinstance(held, torch.Tensor) for held in getattr(leaf, "__dict__", {}).values()):
            raise MicronetError(
                f"forward returned tensors inside a {type(leaf).__name__}, which cannot be followed.",
                "Return tensors, tuples, dicts or dataclasses.",
            )


@contextmanager
def quiet(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, fast paths that hide operators off, random state kept; all undone after."""
    fast_path = torch.backends.mha.get_fastpath_enabled()
    fused = torch._C._get_mkldnn_enabled()  # torch.backends.mkldnn.flags warns about TF32
    with _unchanged(model):
        torch.backends.mha.set_fastpath_enabled(False)
        torch._C._set_mkldnn_enabled(False)  # noqa: FBT003
        try:
            for module in model.modules():
                module.training = False
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast_path)
            torch._C._set_mkldnn_enabled(fused)


@contextmanager
def _unchanged(model: nn.Module) -> Iterator[None]:
    """What forward stores on modules (caches, counters, training flags) is taken back."""
    saved = [(module, dict(module.__dict__)) for module in model.modules()]
    held = [
        (value, value.copy())
        for _, attributes in saved
        for value in attributes.values()
        if isinstance(value, (dict, list, set))
    ]
    tensors = [*model.parameters(), *model.buffers()]
    data = [(tensor, tensor.data) for tensor in tensors]
    try:
        yield
    finally:
        for tensor, content in data:
            tensor.data = content
        for module, attributes in saved:
            module.__dict__.clear()
            module.__dict__.update(attributes)
        for value, items in held:
            value.clear()
            value.extend(items) if isinstance(value, list) else value.update(items)


@contextmanager
def _buffers_kept(model: nn.Module) -> Iterator[None]:
    """What a real run writes into buffers from its input is taken back."""
    saved = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for buffer, content in saved:
            buffer.detach().copy_(content)


@contextmanager
def scopes(model: nn.Module, running: list[tuple[str, str]]) -> Iterator[None]:
    """Keep in ``running`` the (name, class) of the modules that run, the innermost last.

    By process-wide hooks, which leave no mark on any module.
    """
    names = {id(module): name for name, module in model.named_modules()}

    def enter(module: nn.Module, _: object) -> None:
        if (name := names.get(id(module))) is not None:
            running.append((name, type(module).__name__))

    def leave(module: nn.Module, *_: object) -> None:
        if id(module) in names:
            running.pop()

    hooks = (
        module_hooks.register_module_forward_pre_hook(enter),
        module_hooks.register_module_forward_hook(leave, always_call=True),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _real(inputs: Sequence[Tensor]) -> list[Tensor]:
    """The inputs, where they hold no data filled with a seeded random image or with token 1."""
    generator = torch.Generator().manual_seed(0)

    def fill(value: Tensor) -> Tensor:
        if not value.is_meta:
            return value.detach().clone()
        if value.is_floating_point():
            return torch.randn(value.shape, generator=generator).to(value.dtype)
        return torch.ones(value.shape, dtype=value.dtype)

    return [fill(value) for value in inputs]


def _only_strided(model: nn.Module) -> None:
    """Sparse and quantised tensor classes run kernels of their own, which no table prices."""
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.layout != torch.strided or tensor.is_quantized:
            kind = "quantised" if tensor.is_quantized else str(tensor.layout).removeprefix("torch.")
            raise MicronetError(
                f"{name} is a {kind} tensor, expected a dense one with zeros.",
                "Store what it stands for: tensor.to_dense() or tensor.dequantize().",
            )


def _needs_values(model: nn.Module) -> MicronetError:
    return MicronetError(
        f"What {type(model).__name__} computes depends on values, and it was built by shapes alone.",
        "Give its weights: a file beside --model, or the model itself to micronet.score.",
    )


def _failed(model: nn.Module, inputs: Sequence[Tensor], why: BaseException) -> MicronetError:
    shapes = ", ".join("x".join(map(str, value.shape)) for value in inputs)
    return MicronetError(
        f"{type(model).__name__}.forward failed on an input of {shapes}: {_first_line(why)}",
        "Give the shape that the network expects: --input 1,3,224,224",
    )


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:160]


def meta_input(shape: Sequence[int], dtype: str = "float32") -> Tensor:
    """An input that has a shape and no data."""
    return torch.empty(tuple(shape), dtype=getattr(torch, dtype), device=torch.device("meta"))
