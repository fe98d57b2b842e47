"""The dispatch mode that writes down every operator that depends on the input."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from micronet.scoring.attention import mark_attention
from micronet.scoring.ir import Operation, Root, Trace, Value
from micronet.scoring.liveness.moves import MOVES
from micronet.scoring.memory import Memory, geometry, meta_twin, storage_key
from micronet.scoring.naming import Names
from micronet.scoring.nested import swap, swap_values, tensors_in
from micronet.scoring.shapes import on_meta
from micronet.scoring.signature import Signature, signature_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torch import Tensor

_META = torch.device("meta")
_CPU = torch.device("cpu")


class DataDependentError(RuntimeError):
    """Python code asked for the value of an activation while only shapes were traced."""


class Recorder(TorchDispatchMode):
    """Runs constants for real, everything else as shapes, and keeps the operations in order."""

    def __init__(self, model: nn.Module, *, shape_only: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.scopes: list[tuple[str, str]] = []
        self.composite = ""
        self._shape_only = shape_only
        self._memory = Memory(self._emit)
        self._operations: list[Operation] = []
        self._inputs: list[Value] = []
        self._roots: dict[int, Root] = {}
        self._held: list[Tensor] = []
        self._twins: dict[int, Tensor] = {}
        self._names = Names(model)

    def add_input(self, tensor: Tensor) -> Tensor:
        """The tensor to hand to the model for ``tensor``: its meta twin, or itself in a real run."""
        given = meta_twin(tensor) if self._shape_only else tensor
        self._memory.record(given, self._new_dynamic(given, is_input=True))
        return given

    def stand_in(self, tensor: Tensor, *, is_state: bool = False) -> Tensor:
        """A tensor on the device of the input that means the same as ``tensor``."""
        value = self._value_of(tensor)
        if is_state and not value.dynamic and value.tensor is not None and not value.tensor.any():
            state = meta_twin(tensor) if self._shape_only else tensor.clone()
            self._memory.record(state, self._new_dynamic(state, is_input=True))
            return state
        return self._twin(tensor, value) if self._shape_only else tensor

    def finish(self, outputs: Sequence[Tensor]) -> Trace:
        """What was recorded, once the forward pass has returned ``outputs``."""
        values = tuple(self._value_of(tensor) for tensor in outputs)
        return Trace(
            mark_attention(self._operations), tuple(self._inputs), values, dict(self._roots)
        )

    def __torch_dispatch__(
        self,
        func: Any,  # the protocol's own type
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        found: list[tuple[Tensor, Value]] = []

        def see(item: Tensor) -> Value:
            value = self._value_of(item)
            found.append((item, value))
            return value

        value_args = tuple(swap(arg, see) for arg in args)
        value_kwargs = {key: swap(arg, see) for key, arg in kwargs.items()} if kwargs else {}
        signature = signature_of(func)
        if signature.reads_shape_only or not any(value.dynamic for _, value in found):
            return self._constant(
                func, signature, (args, kwargs), (value_args, value_kwargs), found
            )
        return self._dynamic(func, signature, (args, kwargs), (value_args, value_kwargs), found)

    def _constant(
        self,
        func: Callable[..., Any],
        signature: Signature,
        given: tuple[tuple[Any, ...], dict[str, Any]],
        values: tuple[tuple[Any, ...], dict[str, Any]],
        found: list[tuple[Tensor, Value]],
    ) -> Any:
        known = all(v.tensor is not None or v.dynamic for _, v in found)
        on_meta = any(t.is_meta for t, _ in found) or given[1].get("device") == _META
        same = not on_meta and all(t is v.tensor for t, v in found)
        mutates = bool(signature.mutated or signature.mutated_names)
        real = None
        if known:
            real = self._really(func, signature, values)
        if mutates:
            return self._overwrite(signature, given, real, found)
        shown = real if same else func(*given[0], **given[1])
        parameters = self._sources(v for _, v in found)
        moved = self._moved(signature, found)
        looked_up = any(self._stored_index(v) for _, v in found)
        truths = tensors_in(real) if known else tensors_in(shown)
        for tensor, true in zip(tensors_in(shown), truths, strict=True):
            value = self._new_constant(
                true, known=known, parameters=parameters, moved=moved, looked_up=looked_up
            )
            self._memory.record(tensor, value)
        return shown

    def _stored_index(self, value: Value) -> bool:
        """Whether a look-up by ``value`` needs more than the table: an index somebody stored."""
        if value.dynamic:
            return False
        root = self._roots[value.root]
        return root.looked_up or (not value.dtype.is_floating_point and bool(root.parameters))

    def _moved(self, signature: Signature, found: list[tuple[Tensor, Value]]) -> frozenset[int]:
        """The roots that a data-moving operator takes its elements from."""
        if signature.name not in MOVES or signature.mutated:
            return frozenset()
        sources = [v.root for _, v in found if v.dtype.is_floating_point]
        return frozenset[int]().union(*(self._roots[key].moved_from or {key} for key in sources))

    def _really(
        self,
        func: Callable[..., Any],
        signature: Signature,
        values: tuple[tuple[Any, ...], dict[str, Any]],
    ) -> Any:
        """The operator on the constants' real content; what it would overwrite is copied first."""

        def content(value: Value) -> Tensor:
            if value.dynamic or value.tensor is None:  # only its shape is read
                return torch.empty(value.shape, dtype=value.dtype)
            return value.tensor

        args = [swap_values(arg, content) for arg in values[0]]
        kwargs = {key: swap_values(arg, content) for key, arg in values[1].items()}
        if kwargs.get("device") == _META:
            kwargs["device"] = _CPU
        for position in signature.mutated:
            args[position] = args[position].clone()
        for name in signature.mutated_names:
            kwargs[name] = kwargs[name].clone()
        return func(*args, **kwargs)

    def _dynamic(
        self,
        func: torch._ops.OpOverload,
        signature: Signature,
        given: tuple[tuple[Any, ...], dict[str, Any]],
        values: tuple[tuple[Any, ...], dict[str, Any]],
        found: list[tuple[Tensor, Value]],
    ) -> Any:
        args, kwargs = given
        if self._shape_only:
            if signature.name == "_local_scalar_dense":
                message = "the value of an activation decides what runs"
                raise DataDependentError(message)
            stand_ins = {id(t): self._twin(t, v) for t, v in found if not t.is_meta}
            if stand_ins:
                args = tuple(swap(a, lambda t: stand_ins.get(id(t), t)) for a in args)
                kwargs = {k: swap(a, lambda t: stand_ins.get(id(t), t)) for k, a in kwargs.items()}
        elif signature.mutated and not found[0][1].dynamic:
            args = (args[0].clone(), *args[1:])  # never write into a tensor of the user's
        result = on_meta(func, args, kwargs) if self._shape_only else func(*args, **kwargs)
        if signature.mutated or signature.mutated_names:
            return self._overwrite(signature, given, result, found, (func, values))
        outputs = tuple(self._new_dynamic(tensor) for tensor in tensors_in(result))
        self._append(func, signature.name, values, found, outputs)
        alone = signature.name.startswith("unsafe_")
        for tensor, value in zip(tensors_in(result), outputs, strict=True):
            self._memory.record(tensor, value, alone=alone)
        return result

    def _overwrite(
        self,
        signature: Signature,
        given: tuple[tuple[Any, ...], dict[str, Any]],
        result: Any,
        found: list[tuple[Tensor, Value]],
        operation: tuple[Any, Any] | None = None,
    ) -> Any:
        """An in-place operator: its target holds a new value, and the caller gets the target back."""
        targets = [given[0][position] for position in signature.mutated]
        targets += [given[1][name] for name in signature.mutated_names]
        parameters = self._sources(v for _, v in found)
        if operation is not None:
            new = tuple(self._new_dynamic(target) for target in targets)
            self._append(operation[0], signature.name, operation[1], found, new, inplace=True)
        else:
            truths = tensors_in(result)
            if not truths:  # without content, the root itself becomes what was computed into it
                for key in {storage_key(target) for target in targets} & set(self._roots):
                    root = self._roots[key]
                    self._roots[key] = replace(
                        root,
                        parameters=root.parameters | parameters,
                        derived=True,
                        moved_from=frozenset(),
                    )
            new = tuple(
                self._new_constant(truth, known=bool(truths), parameters=parameters)
                for truth in (truths or targets)[: len(targets)]
            )
        for target, value in zip(targets, new, strict=False):
            self._memory.write(target, value)
        return targets[0] if len(targets) == 1 else tuple(targets)

    # --- values ----------------------------------------------------------------------------------

    def _value_of(self, tensor: Tensor) -> Value:
        value = self._memory.lookup(tensor)
        if value is None:
            known = not tensor.is_meta
            value = self._new_constant(tensor, known=known, parameters=None)
            self._memory.record(tensor, value)
        return value

    def _new_dynamic(self, tensor: Tensor, *, is_input: bool = False) -> Value:
        self._held.append(tensor)
        key = storage_key(tensor)
        value = Value(
            tuple(tensor.shape),
            tensor.dtype,
            dynamic=True,
            storage_bytes=int(tensor.untyped_storage().nbytes()),
            alias_of=key,
        )
        if is_input:
            self._inputs.append(value)
        return value

    def _new_constant(
        self,
        tensor: Tensor,
        *,
        known: bool,
        parameters: frozenset[str] | None,
        moved: frozenset[int] = frozenset(),
        looked_up: bool = False,
    ) -> Value:
        """``parameters`` names what it was computed from; None: it was found in the model."""
        self._held.append(tensor)
        key = storage_key(tensor)
        where = geometry(tensor)
        if key not in self._roots:
            whole, names = self._names.at(key) or (tensor, [])
            name = names[0] if names else ""
            sources = frozenset(names) or parameters or frozenset[str]()
            self._roots[key] = Root(
                name or self._names.best(sources, tensor.numel()) or self._label(),
                whole.detach() if known else None,
                tuple(whole.shape),
                whole.dtype,
                sources,
                derived=not name,
                elements=where.storage_elements,
                moved_from=moved - {key},
                looked_up=looked_up,
            )
        return Value(
            tuple(tensor.shape),
            tensor.dtype,
            dynamic=False,
            tensor=tensor.detach() if known else None,
            root=key,
            where=where,
            storage_bytes=int(tensor.untyped_storage().nbytes()),
        )

    def _sources(self, values: Iterable[Value]) -> frozenset[str]:
        """The parameters and buffers that constants among ``values`` come from."""
        constants = (value for value in values if not value.dynamic)
        return frozenset[str]().union(*(self._roots[v.root].parameters for v in constants))

    def _label(self) -> str:
        scope = self.scopes[-1][0] if self.scopes else ""
        return f"{scope}.constant" if scope else "constant"

    def _twin(self, tensor: Tensor, value: Value) -> Tensor:
        if tensor.is_meta:
            return tensor
        twin = self._twins.get(id(tensor))
        if twin is None:
            twin = self._twins[id(tensor)] = meta_twin(tensor)
            self._held.append(tensor)
        if self._memory.lookup(twin) is not value:
            self._memory.record(twin, value)
        return twin

    def _append(
        self,
        func: Callable[..., Any],
        name: str,
        values: tuple[tuple[Any, ...], dict[str, Any]],
        found: list[tuple[Tensor, Value]],
        outputs: tuple[Value, ...],
        *,
        inplace: bool = False,
    ) -> None:
        module, module_type = self.scopes[-1] if self.scopes else ("", "")
        self._operations.append(
            Operation(
                name,
                func,
                values[0],
                values[1],
                tuple(value for _, value in found),
                outputs,
                module,
                module_type,
                self.composite,
                inplace,
            )
        )

    def _emit(self, function: Callable[..., Any], *arguments: Any) -> Value:
        """Apply a data-moving function to Values (for views of buffers that were overwritten)."""
        values = [argument for argument in arguments if isinstance(argument, Value)]
        last = arguments[-1] if len(values) == 1 else arguments[-2]
        if not any(value.dynamic for value in values) and all(v.tensor is not None for v in values):
            real = function(*(a.tensor if isinstance(a, Value) else a for a in arguments))
            parameters = self._sources(values)
            return self._new_constant(real, known=True, parameters=parameters)
        shape = torch.empty(last.size, dtype=values[0].dtype, device=_META)
        if not any(value.dynamic for value in values):
            return self._new_constant(shape, known=False, parameters=frozenset())
        output = self._new_dynamic(shape)
        found = [(shape, value) for value in values]
        self._append(function, function.__name__, (arguments, {}), found, (output,))
        return output
