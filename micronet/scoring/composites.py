"""Python-level functions that matter as wholes: attention and recurrent networks.

Recurrent functions check that all their tensors share a device, so here their weights are replaced by
meta twins; and their initial state, which the module fills with zeros, becomes an input: a recurrent
network that runs online carries its state, and its hidden-to-hidden weights are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from micronet.scoring.recorder import Recorder

_RECURRENT = {
    torch.lstm: "lstm",
    torch.gru: "gru",
    torch.rnn_tanh: "rnn",
    torch.rnn_relu: "rnn",
    torch.lstm_cell: "lstm_cell",
    torch.gru_cell: "gru_cell",
    torch.rnn_tanh_cell: "rnn_cell",
    torch.rnn_relu_cell: "rnn_cell",
}


class Composites(TorchFunctionMode):
    """Marks the operators that run inside recurrent functions."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # the protocol's own type
        kwargs = kwargs or {}
        name = _RECURRENT.get(func)
        if name is None:
            return func(*args, **kwargs)
        args = self._on_one_device(args)
        before, self._recorder.composite = self._recorder.composite, name
        try:
            return func(*args, **kwargs)
        finally:
            self._recorder.composite = before

    def _on_one_device(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        # (input, state, weights, …) or, for packed sequences, (data, batch sizes, state, weights, …)
        packed = (
            isinstance(args[2], (list, tuple))
            and not isinstance(args[1], (list, tuple))
            and (isinstance(args[3], (list, tuple)))
        )
        state = 2 if packed else 1
        kept = {1} if packed else set()  # batch sizes are read by the caller: they stay real
        return tuple(
            self._move(argument, is_state=position == state) if position not in kept else argument
            for position, argument in enumerate(args)
        )

    def _move(self, argument: Any, *, is_state: bool) -> Any:  # nested arguments
        if isinstance(argument, torch.Tensor):
            return self._recorder.stand_in(argument, is_state=is_state)
        if isinstance(argument, (list, tuple)):
            return type(argument)(self._move(item, is_state=is_state) for item in argument)
        return argument
