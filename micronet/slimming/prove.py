"""Run the original and the slimmed network on the same inputs and compare what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import nn
from torch.utils import _pytree

from micronet.errors import Finding, MicronetError
from micronet.slimming.apply import copied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from micronet.models import InputSpec

RANDOM_INPUTS: Final = 3
FLOAT64_TOLERANCE: Final = 1e-9  # of the largest output; folding reorders sums, nothing more
FLOAT32_TOLERANCE: Final = 1e-4  # of the largest output; weights and sums are rounded to 24 bits
SEED: Final = 2019


@dataclass(frozen=True)
class Proof:
    """What was compared; differences are shares of the largest output.

    Without dead edges the outputs were identical bit by bit in float64, or there would be no proof.
    ``folds_difference`` is None where nothing was folded.
    """

    random_inputs: int
    images: int
    folds_difference: float | None
    file_difference: float


Outputs = list[list["Tensor"]]


def random_inputs(model: nn.Module, spec: InputSpec) -> list[Tensor]:
    """Seeded inputs: normal numbers, or tokens that every embedding of the model knows."""
    generator = torch.Generator().manual_seed(SEED)
    if spec.dtype == "int64":
        sizes = [m.num_embeddings for m in model.modules() if isinstance(m, nn.Embedding)]
        most = min(sizes, default=2)
        return [torch.randint(most, spec.shape, generator=generator) for _ in range(RANDOM_INPUTS)]
    return [torch.randn(spec.shape, generator=generator) for _ in range(RANDOM_INPUTS)]


def outputs(model: nn.Module, inputs: Sequence[Tensor], dtype: torch.dtype) -> Outputs:
    """Every tensor that the model returns for each input, computed in ``dtype`` on a copy."""
    copy = copied(model).to(dtype).eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            return [_tensors(copy(x.to(dtype) if x.is_floating_point() else x)) for x in inputs]
    except (RuntimeError, TypeError, AttributeError, ValueError) as error:
        kind = str(dtype).removeprefix("torch.")
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise MicronetError(
            f"{type(model).__name__} does not run in {kind}, so nothing can be proved: {reason}"
        ) from error


def _tensors(result: object) -> list[Tensor]:
    return [leaf for leaf in _pytree.tree_leaves(result) if isinstance(leaf, torch.Tensor)]


def check_identical(want: Outputs, have: Outputs) -> None:
    """Finding unless all outputs are equal, bit for bit but for the sign of zeros."""
    for number, (wanted, found) in enumerate(zip(want, have, strict=True), 1):
        same = [torch.equal(a, b) for a, b in zip(wanted, found, strict=True)]
        if not all(same):
            worst = difference([wanted], [found])
            raise Finding(
                f"An edge that looked dead is not: without it, output {number} of {len(want)} "
                f"differs by {worst:.3g} of the largest output.",
                "Nothing was written. Please report this network: its score is wrong too.",
            )


def check_close(want: Outputs, have: Outputs, tolerance: float, what: str) -> float:
    """The largest difference, as a share of the largest output; Finding above ``tolerance``."""
    found = difference(want, have)
    if not found <= tolerance:  # NaN is not close
        raise Finding(
            f"{what}: the output differs by {found:.3g} of the largest output, "
            f"allowed is {tolerance:g}.",
            "Nothing was written.",
        )
    return found


def difference(want: Outputs, have: Outputs) -> float:
    """The largest |Δ| over the largest |output|, over all inputs; of several output tensors the worst."""
    worst = 0.0
    for wanted, found in zip(zip(*want, strict=True), zip(*have, strict=True), strict=True):
        scale = max(float(tensor.double().abs().max()) for tensor in wanted if tensor.numel())
        delta = max(
            float((a.double() - b.double()).abs().max())
            for a, b in zip(wanted, found, strict=True)
            if a.numel()
        )
        share = delta / scale if scale else (float("inf") if delta else 0.0)
        if not share <= worst:
            worst = share
    return worst
