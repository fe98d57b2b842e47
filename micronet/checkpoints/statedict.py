"""Find the weights in what a torch file holds: a state dict, a wrapper around one, or a module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from micronet.checkpoints.reductions import Inert, TensorRef
from micronet.checkpoints.source import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

AVERAGED: Final = (
    "model_ema",
    "state_dict_ema",
)  # what torchvision and timm evaluate, if it is there
WRAPPERS: Final = ("state_dict", "model", "model_state_dict", "module", "net", "weights", "params")
_PREFIXES: Final = ("module.", "_orig_mod.")  # of DataParallel and the like, of torch.compile
_AVERAGES_TAKEN: Final = "n_averaged"  # a count, no weight
_DEPTH: Final = 4
_MODULE_DEPTH: Final = 100
_ENTRIES: Final = 10_000  # settings, not data
_DROPPED: Final = object()
_PLAIN: Final = (str, int, float, bool, type(None))
_Item = TypeVar("_Item")


def find(value: Any) -> tuple[dict[str, TensorRef], dict[str, Any]]:
    """The named tensors in ``value`` without wrappers' prefixes, and its other plain values.

    Weights averaged in training are taken before those of the last step; "taken" is then the key
    they were under.
    RefusedError says what was found in place of weights.
    """
    meta: dict[str, Any] = {}
    for _ in range(_DEPTH):
        if isinstance(value, dict):
            tensors = {key: item for key, item in value.items() if isinstance(item, TensorRef)}
            key = next((key for key in (*AVERAGED, *WRAPPERS) if _holds_more(value.get(key))), None)
            meta |= _PlainCopier().copy({k: v for k, v in value.items() if k != key or tensors})
            if key in AVERAGED and not tensors:
                meta["taken"] = key
            if tensors:
                return unwrapped(_checked(value, tensors)), meta
            value = value.get(key)
        elif isinstance(value, Inert):
            tensors = dict(_of_module(value, ""))
            if tensors:
                return unwrapped(tensors), {**meta, "class": value.name}
            raise RefusedError(f"it holds an object of the class {value.name} without weights")
        else:
            break
    raise RefusedError("it holds no state dict (a dictionary of tensors)")


def unwrapped(tensors: Mapping[str, _Item]) -> dict[str, _Item]:
    """The same tensors, without the prefixes that wrappers around a module give to every name."""
    found = {name: tensor for name, tensor in tensors.items() if name != _AVERAGES_TAKEN}
    if not _prefix(found):
        return dict(tensors)
    while prefix := _prefix(found):
        found = {name.removeprefix(prefix): tensor for name, tensor in found.items()}
    return found


def _prefix(tensors: Mapping[str, Any]) -> str | None:
    """The prefix that every name has, and is longer than."""
    every = (p for p in _PREFIXES if all(n.startswith(p) and n != p for n in tensors))
    return next(every, None) if tensors else None


def _checked(whole: dict[Any, Any], tensors: dict[Any, TensorRef]) -> dict[str, TensorRef]:
    for name, item in whole.items():
        if not isinstance(name, str):
            raise RefusedError(f"a weight has the name {name!r}, expected text")
        if isinstance(item, Inert) and "_rebuild" in item.name:
            raise RefusedError(f"{name} is a tensor of a kind that is not read ({item.name})")
    return tensors


def _holds_more(value: Any) -> bool:
    return isinstance(value, Inert) or (isinstance(value, dict) and bool(value))


def _of_module(module: Inert, prefix: str, depth: int = 0) -> list[tuple[str, TensorRef]]:
    """The parameters and buffers of a pickled torch module, found by how torch stores them."""
    state = module.state
    if not isinstance(state, dict) or depth > _MODULE_DEPTH:
        return []
    found = []
    for group in ("_parameters", "_buffers"):
        entries = state.get(group)
        for name, item in entries.items() if isinstance(entries, dict) else ():
            if isinstance(item, TensorRef):
                found.append((f"{prefix}{name}", item))
    children = state.get("_modules")
    for name, child in children.items() if isinstance(children, dict) else ():
        if isinstance(child, Inert):
            found += _of_module(child, f"{prefix}{name}.", depth + 1)
    return found


class _PlainCopier:
    """Copies plain values, at most ``_ENTRIES`` of them: shared parts could else multiply."""

    def __init__(self) -> None:
        self.left = _ENTRIES

    def copy(self, value: Any, depth: int = 0) -> Any:
        """The copy; ``_DROPPED`` for what is no setting: objects, arrays, deep or endless nests."""
        self.left -= 1
        if isinstance(value, _PLAIN) and self.left >= 0:
            return value
        if depth == _DEPTH or self.left < 0:
            return _DROPPED
        if isinstance(value, dict):
            pairs = ((key, self.copy(item, depth + 1)) for key, item in value.items())
            return {k: item for k, item in pairs if isinstance(k, str) and item is not _DROPPED}
        if isinstance(value, list | tuple):
            items = [self.copy(item, depth + 1) for item in value[: max(self.left, 0)]]
            return _DROPPED if _DROPPED in items else items
        return _DROPPED
