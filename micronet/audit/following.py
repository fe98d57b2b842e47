"""A real forward pass, followed: which tensors depend on the input, and which module is running."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from micronet.errors import MicronetError
from micronet.evaluation.network import answering
from micronet.scoring.memory import storage_key
from micronet.scoring.trace import quiet, scopes

if TYPE_CHECKING:
    from torch import Tensor, nn


_FRESH: Final = re.compile(r"aten::(new_\w+|\w+_like)")  # these read a shape and no values


class Following(TorchDispatchMode):
    """Sees every operator of one forward pass on one example; ``before`` and ``after`` are for subclasses.

    Whatever is computed from the input depends on it, and so does every view of it. Constants know
    which parameters and buffers they were computed from.
    """

    def __init__(self, model: nn.Module, example: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.scopes: list[tuple[str, str]] = []
        self.bug: Exception | None = None
        self._held = [example]  # so that no storage's key is used again
        self._dynamic = {storage_key(example)}
        self._sources: dict[int, tuple[str, ...]] = {}
        self._sizes: dict[str, tuple[bool, int]] = {}
        self._own: dict[int, Tensor] = {}
        self._before: dict[int, torch.UntypedStorage] = {}
        for learned, named in ((True, model.named_parameters()), (False, model.named_buffers())):
            for name, tensor in named:
                self._sources.setdefault(storage_key(tensor), (name,))
                self._sizes[name] = (learned, tensor.numel())
                self._own.setdefault(storage_key(tensor), tensor)

    def depends(self, tensor: Tensor) -> bool:
        """Whether ``tensor`` was computed from the input."""
        return storage_key(tensor) in self._dynamic

    def source(self, tensor: Tensor) -> str | None:
        """What a constant is or was computed from: rather the weight than its mask or its scale."""
        names = self._sources.get(storage_key(tensor), ())

        def rank(name: str) -> tuple[bool, bool, str]:
            learned, elements = self._sizes[name]
            return elements != tensor.numel(), not learned, name

        return min(names, key=rank, default=None)

    @property
    def layer(self) -> str:
        """The module that is running."""
        return self.scopes[-1][0] if self.scopes else ""

    def seen(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """An operator is about to run."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operator, and follow its outputs."""
        del types
        kwargs = kwargs or {}
        try:
            self.seen(_name(func), args, kwargs)
        except Exception as bug:  # ours, which must not pass for one of the network's
            self.bug = bug
            raise
        self._keep(_written(func, args, kwargs))
        result = func(*args, **kwargs)
        read = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        made = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        self._held += made
        if _FRESH.fullmatch(func._schema.name):
            return result
        if any(self.depends(tensor) for tensor in read):
            self._dynamic.update(storage_key(tensor) for tensor in made)
        else:
            names = {name for each in read for name in self._sources.get(storage_key(each), ())}
            for tensor in made:
                self._sources.setdefault(storage_key(tensor), tuple(sorted(names)))
        return result

    def _keep(self, written: list[Tensor]) -> None:
        """Remember what parameters and buffers held that are about to be overwritten."""
        for tensor in written:
            key = storage_key(tensor)
            if key in self._own and key not in self._before:
                self._before[key] = tensor.untyped_storage().clone()

    def restore(self) -> None:
        """Give parameters and buffers the content that they had."""
        for key, content in self._before.items():
            self._own[key].untyped_storage().copy_(content)


def _written(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """The tensors that an operator writes into."""
    if not func._schema.is_mutable:
        return []
    given = zip(func._schema.arguments, args, strict=False)
    places = [value for argument, value in given if _writes(argument)]
    places += [kwargs[a.name] for a in func._schema.arguments if a.name in kwargs and _writes(a)]
    return [leaf for leaf in tree_leaves(places) if isinstance(leaf, torch.Tensor)]


def _writes(argument: Any) -> bool:
    return argument.alias_info is not None and bool(argument.alias_info.is_write)


def _name(func: Any) -> str:
    """The operator without the underscore of its in-place form; somebody's own with its namespace."""
    namespace, _, name = func._schema.name.partition("::")
    if namespace != "aten":
        return str(func._schema.name)
    return str(name if name.endswith("__") else name.removesuffix("_"))


def follow(model: nn.Module, example: Tensor, mode: Following) -> None:
    """Run ``model`` on one example under ``mode``; the model is left as it was.

    Attention runs as the products that it is made of. Raises MicronetError where forward fails.
    """
    try:
        _run(model, example, mode)
    except MicronetError:
        if mode.bug is not None:
            raise mode.bug from None
        raise


def _run(model: nn.Module, example: Tensor, mode: Following) -> None:
    with ExitStack() as stack:
        stack.enter_context(answering(example))
        stack.enter_context(quiet(model))
        stack.callback(mode.restore)
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(torch.no_grad())
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(scopes(model, mode.scopes))
        stack.enter_context(mode)
        model(example)
