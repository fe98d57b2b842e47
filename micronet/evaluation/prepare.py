"""Make a network ready to run: a plain one that defines the answers, and a fast one that gives most.

The plain network is the module as it was given, in float32. The fast one computes the same with
batch norms folded and channels-last memory, or in another arithmetic if that was asked for.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import torch

from micronet.errors import MicronetError
from micronet.evaluation.fuse import fused
from micronet.evaluation.jumps import can_jump
from micronet.evaluation.network import Arithmetic, Network, answering, check_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

# Float32 outputs differ between layouts, batch sizes and thread counts by up to 1.0e-6 of the
# largest (measured on seven architectures); ten times that counts as doubt.
NOISE: Final = 1e-5
WRONG: Final = 1e-3  # of the largest: what is further away is no rounding
_HEADROOM: Final = 8
_TINY: Final = 1e-30
# What somebody's own modules may raise where they are copied or folded, or see other inputs.
_RAISED: Final = (
    *(TypeError, ValueError, AttributeError, LookupError, RuntimeError, AssertionError),
    *(ArithmeticError, MicronetError),
)


def prepared(model: nn.Module, arithmetic: Arithmetic, image: Tensor, classes: int) -> Network:
    """Both forms of ``model``, tried on ``image`` [1, 3, height, width], the data set's first.

    Raises MicronetError if the model has no weights, cannot run, does not give [1, classes], or
    the device cannot compute as asked.
    """
    check_weights(model)
    if arithmetic.dtype == "fp16" and arithmetic.device.type == "cpu":
        raise MicronetError("fp16 is for CUDA devices.", "Use --dtype bf16 or leave it out.")
    torch.backends.cuda.matmul.allow_tf32 = False  # float32 means float32
    torch.backends.cudnn.allow_tf32 = False
    plain = model.eval().to(arithmetic.device)
    image = image.to(arithmetic.device)
    exact = Network(plain, plain, Arithmetic(device=arithmetic.device))
    with answering(image):
        exact.alone(image, classes)
        found = _tried(exact, _fast(plain, image), image, classes)
        if arithmetic.exact:
            return found
        fast = torch.compile(found.fast) if arithmetic.compiled else found.fast
        network = replace(found, fast=fast, arithmetic=arithmetic)
        network.outputs(image, classes)
        return network


def _fast(plain: nn.Module, image: Tensor) -> nn.Module:
    """A copy to compute fast with; the network itself where it cannot be copied."""
    try:
        return fused(plain, image).to(memory_format=torch.channels_last)
    except _RAISED:
        return plain


def _tried(network: Network, fast: nn.Module, image: Tensor, classes: int) -> Network:
    """The network as it will run: the fast form only where it computes what the plain one does."""
    lonely = replace(network, noise=math.inf)
    if _jumps(network.plain, image):
        return lonely
    for form in (fast, network.plain):
        found = replace(network, fast=form)
        apart = _distance(found, image, classes)
        if apart < WRONG:
            return replace(found, noise=max(NOISE, _HEADROOM * apart))
    return lonely  # answers depend on the batch


def _jumps(plain: nn.Module, image: Tensor) -> bool:
    try:
        return can_jump(plain, image)
    except _RAISED:  # it cannot be followed, so it may
        return True


def _distance(network: Network, image: Tensor, classes: int) -> float:
    """How far outputs of a batch are from those alone, as a share of the largest; inf where it fails.

    The three images differ in brightness: flipped ones would share mean, deviation and extremes.
    """
    batch = torch.cat([image.flip(3) * 0.5, image, image.flip(2) * 2])
    try:
        fast = network.outputs(batch, classes)
        plain = torch.stack([network.alone(one, classes) for one in batch.split(1)])
    except _RAISED:
        return math.inf
    apart = (fast - plain).abs().amax(dim=1) / plain.abs().amax(dim=1).clamp_min(_TINY)
    return float(apart.max())
