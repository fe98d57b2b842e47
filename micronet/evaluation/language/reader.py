"""The models that can be evaluated, and how they are asked.

A language model is a module that gives, for tokens int64 [1, T], the logits (or log-probabilities:
normalising them again changes nothing) of the token after each, [1, T, vocabulary], by

    advance(tokens, state) → (logits, state)     state is None at first, or init_hidden(1)
    forward(tokens, state) → (logits, state)     the same
    forward(tokens) → logits                     no state: it sees a window of tokens

A state is made of tensors in tuples, lists and dictionaries. Time may come first ([T, 1] →
[T, 1, vocabulary]), and logits may lack the axis of the one sequence ([T, vocabulary]). Where only
the last token's logits are wanted, [1, 1, vocabulary] will do. A second result without tensors (the
loss of models that also take targets) is no state.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import torch
from torch import Tensor
from torch.utils import _pytree

from micronet.errors import MicronetError
from micronet.evaluation.language.settings import unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

Layout = Literal["batch-first", "time-first"]
LAYOUTS: Final[tuple[Layout, ...]] = ("batch-first", "time-first")
_RETURN: Final = "Return logits [1, T, vocabulary], and the state beside them if there is one."


@dataclass(frozen=True)
class Reader:
    """``module`` as a function of tokens and state."""

    module: nn.Module
    vocabulary: int
    stateful: bool
    layout: Layout
    device: torch.device
    omits: bool  # no state is given, rather than None

    def start(self) -> Any:
        """The state before the first token."""
        return _start(self.module)

    def read(
        self, ids: Sequence[int], state: Any, *, only_last: bool = False
    ) -> tuple[Tensor, Any]:
        """Logits [T, vocabulary] behind each of ``ids`` (of the last, if that is enough), and the state."""
        tokens = torch.tensor(ids, dtype=torch.int64, device=self.device)
        tokens = tokens.unsqueeze(0 if self.layout == "batch-first" else 1)
        with unpacked(self.module, len(ids)):
            output, after = _ask(self.module, tokens, state, omits=self.omits)
        rows = self._rows(output, len(ids), only_last=only_last)
        if not self.stateful:
            return rows, None
        if not _is_state(after):
            name = type(self.module).__name__
            raise MicronetError(f"{name} returned logits without a state.", _RETURN)
        return rows, _pytree.tree_map_only(torch.Tensor, _own, after)

    def _rows(self, output: Tensor, asked: int, *, only_last: bool) -> Tensor:
        size, shape = self.vocabulary, tuple(output.shape)
        if not output.dtype.is_floating_point:
            raise MicronetError(f"The model returned {output.dtype}, expected logits.", _RETURN)
        if shape[-1:] != (size,):
            raise MicronetError(
                f"The model returned {list(shape)} for {asked} tokens, expected [1, {asked}, {size}]:"
                f" the vocabulary has {size:,} tokens.",
                "Give the vocabulary that it was trained with, or return no padding.",
            )
        one = (1, asked) if self.layout == "batch-first" else (asked, 1)
        allowed = [(*one, size), (asked, size)]
        if asked == 1:
            allowed.append((size,))
        if only_last:
            allowed += [(1, 1, size), (1, size)]
        if shape not in allowed:
            raise MicronetError(
                f"The model returned {list(shape)} for tokens {list(one)}, expected {[*one, size]}.",
                _RETURN,
            )
        return output.detach().reshape(-1, size)


def reader_of(module: nn.Module, vocabulary: int) -> Reader:
    """How to ask ``module``, found by asking it for one token; the layout is the usual one."""
    tensors = [*module.parameters(), *module.buffers()]
    if any(tensor.is_meta for tensor in tensors):
        raise MicronetError(
            f"{type(module).__name__} has no weights, only their shapes.",
            "Give a checkpoint file.",
        )
    device = tensors[0].device if tensors else torch.device("cpu")
    advances = _named_advance(module)
    places = _places(_function(module))
    omits = len(places) < 2 or places[1].default is not inspect.Parameter.empty
    stateful = advances
    if not advances and len(places) > 1 and "mask" not in places[1].name:
        token = torch.zeros((1, 1), dtype=torch.int64, device=device)
        stateful = _is_state(_ask(module, token, _start(module), omits=omits)[1])
    made = Reader(module, vocabulary, stateful, "batch-first", device, omits)
    made.read([0], made.start())
    return made


def _named_advance(module: nn.Module) -> bool:
    return callable(getattr(module, "advance", None))


def _function(module: nn.Module) -> Callable[..., Any]:
    return module.advance if _named_advance(module) else module.forward  # type: ignore[return-value]


def _places(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters that can be given by position."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # compiled code shows no signature
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter for parameter in parameters if parameter.kind in kinds]


def _is_state(found: Any) -> bool:
    return any(isinstance(leaf, torch.Tensor) for leaf in _pytree.tree_leaves(found))


def _start(module: nn.Module) -> Any:
    initial = getattr(module, "init_hidden", None)
    return initial(1) if callable(initial) else None


def called(module: nn.Module, tokens: Tensor, state: Any, *, omits: bool) -> Any:
    """What ``module`` itself gives for ``tokens`` after ``state``, by the function that it has."""
    # A module is called, not its forward, so that hooks (pruning, weight norm) run.
    function = _function(module) if _named_advance(module) else module
    return function(tokens) if state is None and omits else function(tokens, state)


def _ask(module: nn.Module, tokens: Tensor, state: Any, *, omits: bool) -> tuple[Tensor, Any]:
    """What the model answers: its first tensor, and what comes second."""
    try:
        found = called(module, tokens, state, omits=omits)
    except MicronetError:
        raise
    except Exception as why:  # the user's own forward may raise anything
        reason = (str(why).strip() or type(why).__name__).splitlines()[0][:160]
        raise MicronetError(
            f"{type(module).__name__} failed on tokens {list(tokens.shape)}: {reason}",
            "It is called as advance(tokens, state), forward(tokens, state) or forward(tokens);"
            " state is None at first, or init_hidden(1).",
        ) from why
    pair = tuple(found) if isinstance(found, (tuple, list)) else (found, None)
    if len(pair) not in {1, 2} or not isinstance(pair[0], torch.Tensor):
        raise MicronetError(f"{type(module).__name__} returned {type(found).__name__}.", _RETURN)
    return pair[0], pair[1] if len(pair) == 2 else None


def _own(tensor: Tensor) -> Tensor:
    """``tensor`` with memory of its own: a view would keep all logits, and save them."""
    size = tensor.untyped_storage().nbytes()
    if size == tensor.numel() * tensor.element_size() and tensor.is_contiguous():
        return tensor.detach()
    return tensor.detach().clone(memory_format=torch.contiguous_format)
