"""Which kind of layer an operator is: the vocabulary in which the popular counters price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micronet.scoring.acts import LINEAR, NO_ARITHMETIC
from micronet.scoring.folding import weight_of
from micronet.scoring.liveness.mixing import REDUCTIONS, is_affine
from micronet.scoring.liveness.rule import dims_of, named_arguments

if TYPE_CHECKING:
    from micronet.scoring.ir import Operation

_KINDS = {
    "native_layer_norm": "layer_norm",
    "native_group_norm": "group_norm",
    "_softmax": "softmax",
    "_safe_softmax": "softmax",
    "_log_softmax": "softmax",
    "_adaptive_avg_pool2d": "adaptive_average_pool",
    "_adaptive_avg_pool3d": "adaptive_average_pool",
    "avg_pool1d": "average_pool",
    "avg_pool2d": "average_pool",
    "avg_pool3d": "average_pool",
}
_ACTIVATIONS = frozenset(
    "relu relu6 hardtanh leaky_relu _prelu_kernel threshold sigmoid silu hardsigmoid hardswish elu celu "
    "selu softplus log_sigmoid_forward mish hardshrink softshrink gelu tanh".split()
)


def kind_of(op: Operation) -> str | None:
    """The kind of an operator that computes something; None if it only moves data."""
    if op.name.startswith(("upsample_nearest", "_upsample_nearest")):
        return "upsample_nearest"
    if op.name in NO_ARITHMETIC:
        return None
    if op.name in LINEAR:
        return _linear(op)
    if op.name in ("native_batch_norm", "_native_batch_norm_legit_no_training"):
        return "batch_norm" if is_affine(op) else "instance_norm"
    if op.name in _ACTIVATIONS:
        return "activation"
    if op.name == "mean" and _pools_globally(op):
        return "adaptive_average_pool"
    if "max_pool" in op.name:
        return "max_pool"
    if op.name.startswith(("upsample", "grid_sampler")):
        return "upsample_linear"
    if op.name in REDUCTIONS:
        return "reduction"
    return _KINDS.get(op.name, "elementwise")


def _linear(op: Operation) -> str:
    if op.name == "convolution":
        return "convolution"
    return "linear" if weight_of(op) is not None else "product"


def _pools_globally(op: Operation) -> bool:
    """Adaptive pooling to 1×1 runs as a mean over the last dimensions that keeps them."""
    given = named_arguments(op)
    ndim = len(op.inputs[0].shape)
    dims = dims_of(given.get("dim"), ndim)
    return bool(given.get("keepdim")) and sorted(dims) == list(range(2, ndim))
