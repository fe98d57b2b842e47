"""Counting by hooks: a second way to count, which shares nothing with micronet's own counter."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import pytest
import torch
from torch import Tensor, nn

from micronet.models import InputSpec, build_model, default_input

MacCounter = Callable[[nn.Module, InputSpec], dict[str, int]]
MetaBuilder = Callable[[str, dict[str, object]], nn.Module]


def _layer_macs(layer: nn.Module, output: Tensor) -> int:
    """Multiply-accumulates of one convolution or linear layer for a batch of one."""
    assert isinstance(layer, (nn.Conv2d, nn.Linear))
    # [outputs, inputs / groups, kernel h, kernel w] × output positions, or [outputs, inputs].
    return layer.weight.numel() * prod(output.shape[2:])


@pytest.fixture
def macs_by_layer() -> MacCounter:
    """Runs the model once and returns {layer name: multiply-accumulates}."""

    def count(model: nn.Module, inputs: InputSpec) -> dict[str, int]:
        macs: dict[str, int] = {}

        def hook(name: str) -> Callable[[nn.Module, object, Tensor], None]:
            def add(layer: nn.Module, _: object, output: Tensor) -> None:
                macs[name] = macs.get(name, 0) + _layer_macs(layer, output)

            return add

        for name, layer in model.named_modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                layer.register_forward_hook(hook(name))
        model.eval()(torch.zeros(inputs.shape, device="meta"))
        return macs

    return count


@pytest.fixture
def meta_model() -> MetaBuilder:
    """Builds an architecture on the meta device: shapes without memory."""

    def build(architecture: str, config: dict[str, object]) -> nn.Module:
        with torch.device("meta"):
            return build_model(architecture, config)

    return build


@pytest.fixture
def meta_input() -> Callable[[str, dict[str, object]], Tensor]:
    """The default input of an architecture, on the meta device."""

    def make(architecture: str, config: dict[str, object]) -> Tensor:
        inputs = default_input(architecture, config)
        return torch.zeros(inputs.shape, dtype=getattr(torch, inputs.dtype), device="meta")

    return make
