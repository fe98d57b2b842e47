"""A network in the two forms in which it is evaluated."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

Forward = Callable[[Tensor], Any]
DTYPES: Final = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Arithmetic:
    """How the fast network computes; ``dtype`` is a key of DTYPES."""

    dtype: str = "fp32"
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    compiled: bool = False

    @property
    def exact(self) -> bool:
        """Whether answers are those of the plain network, whatever the batch they came in."""
        return self.dtype == "fp32" and not self.compiled


@dataclass(frozen=True)
class Network:
    """The two forms of one network; both take [n, 3, height, width] on ``arithmetic.device``.

    ``noise`` is how far rounding may move an output of the fast one, as a share of the largest;
    infinite where other images of its batch move it, or a rounding error by a whole step.
    """

    plain: nn.Module
    fast: Forward
    arithmetic: Arithmetic
    noise: float = 0.0

    def precision(self) -> AbstractContextManager[Any]:
        """The context that the fast network runs in (mixed precision, where asked for)."""
        chosen = DTYPES[self.arithmetic.dtype]
        kind = self.arithmetic.device.type
        return torch.autocast(kind, dtype=chosen, enabled=chosen != torch.float32)

    def outputs(self, inputs: Tensor, classes: int) -> Tensor:
        """The fast outputs, float64 [n, classes] on the CPU; of torch.inference_mode."""
        with torch.inference_mode(), self.precision():
            return logits(self.fast(inputs), len(inputs), classes)

    def alone(self, single: Tensor, classes: int) -> Tensor:
        """The plain outputs for one image [1, 3, h, w]: what defines its answer. float64 [classes]."""
        with torch.inference_mode():
            raw = self.plain(single.contiguous(memory_format=torch.contiguous_format))
            return logits(raw, 1, classes)[0]


@contextmanager
def answering(inputs: Tensor) -> Iterator[None]:
    """Turn what somebody's network raises on ``inputs`` into a MicronetError."""
    try:
        yield
    except MicronetError:
        raise
    except Exception as error:  # it may be anything
        reason = (str(error).strip().splitlines() or [""])[0][:200]
        raise MicronetError(
            f"The network cannot compute an input of {list(inputs.shape)}: "
            f"{type(error).__name__}: {reason}",
            "Is the preprocessing (--resize, --crop) the network's?",
        ) from error


def logits(raw: Any, images: int, classes: int) -> Tensor:
    """Outputs as float64 [images, classes] on the CPU, out of what the network returned."""
    found = raw
    if isinstance(raw, dict):
        found = raw.get("logits", raw.get("out"))
    elif hasattr(raw, "logits"):
        found = raw.logits
    elif isinstance(raw, tuple | list) and raw:
        found = raw[0]
    if not isinstance(found, torch.Tensor):
        raise MicronetError(
            f"The network returned a {type(raw).__name__}, expected outputs of [n, {classes}]."
        )
    if found.shape != (images, classes):
        hint = "A background class? Wrap the network so that it gives the data set's classes."
        raise MicronetError(
            f"The network gives {list(found.shape)} for {images} images, expected "
            f"[{images}, {classes}]: the data set has {classes} classes.",
            hint if found.shape == (images, classes + 1) else "Is this the right data set?",
        )
    return found.to("cpu", torch.float64)


def check_weights(model: nn.Module) -> None:
    """Raise MicronetError if ``model`` is an architecture alone, without memory for its weights."""
    if any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers())):
        raise MicronetError(
            "There are no weights to evaluate: only the architecture is here.",
            "Name a file: micronet evaluate FILE, or --model ARCHITECTURE --weights FILE",
        )
