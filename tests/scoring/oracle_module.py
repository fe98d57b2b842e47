"""The oracle's networks as torch modules, for the counter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.scoring import oracle_nodes as nodes

if TYPE_CHECKING:
    from collections.abc import Sequence


class Module(nn.Module):
    """One network in evaluation mode; ``in_place``: accumulators are added to where they lie."""

    def __init__(self, network: nodes.Network, *, in_place: bool = False) -> None:
        super().__init__()
        self.network = network
        self.in_place = in_place
        for name, tensor in network.tensors.items():
            self.register_parameter(name, _parameter(tensor.values, tensor.shape))
        for i, node in enumerate(network.nodes):
            if isinstance(node, nodes.Scale):
                self.register_parameter(f"factors{i}", _parameter(node.factors))
            if isinstance(node, (nodes.Conv, nodes.Linear)) and node.bias is not None:
                self.register_parameter(f"bias{i}", _parameter(node.bias))
            if isinstance(node, nodes.BatchNorm):
                self.add_module(f"norm{i}", _norm(node, maps=len(network.shapes()[i]) == 3))
        self.eval()

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        results: list[Tensor] = []
        for i, node in enumerate(self.network.nodes):
            results.append(self._run(i, node, image, [results[source] for source in node.sources]))
        return tuple(results[i] for i in self.network.outputs)

    def _run(self, i: int, node: nodes.Node, image: Tensor, xs: Sequence[Tensor]) -> Tensor:  # noqa: C901  # one line a kind
        match node:
            case nodes.Input():
                return image
            case nodes.Conv() | nodes.Linear():
                return self._dot(i, node, xs[0])
            case nodes.BatchNorm():
                return self.get_submodule(f"norm{i}")(xs[0])  # type: ignore[no-any-return]
            case nodes.Relu():
                return xs[0].relu()
            case nodes.Pair():
                return self._pair(node, xs[0], xs[1])
            case nodes.Scale():
                factors = self.get_parameter(f"factors{i}")
                return xs[0] * (factors[:, None, None] if xs[0].ndim == 4 else factors)
            case nodes.Zeros():
                return xs[0].new_zeros(xs[0].shape[0], node.channels, *xs[0].shape[2:])
            case nodes.Concat():
                return torch.cat(list(xs), 1)
            case nodes.Slice():
                return xs[0][:, node.start : node.stop]
            case nodes.Pool():
                pool = F.avg_pool2d if node.kind == "average" else F.max_pool2d
                return pool(xs[0], node.size, node.stride, node.padding)
            case nodes.Mean():
                return xs[0].mean((2, 3), keepdim=True)
            case nodes.Flatten():
                return xs[0].flatten(1)

    def _dot(self, i: int, node: nodes.Conv | nodes.Linear, x: Tensor) -> Tensor:
        whole = self.get_parameter(node.weight.tensor)
        rows, columns = node.weight.rows, node.weight.columns
        weight = whole[rows.start : rows.stop, columns.start : columns.stop]
        if weight.shape == whole.shape:
            weight = whole
        bias = None if node.bias is None else self.get_parameter(f"bias{i}")
        if isinstance(node, nodes.Conv):
            return F.conv2d(x, weight, bias, node.stride, node.padding, node.dilation, node.groups)
        return (
            F.linear(x, weight, bias)
            if x.ndim == 2
            else F.conv2d(x, weight[:, :, None, None], bias)
        )

    def _pair(self, node: nodes.Pair, left: Tensor, right: Tensor) -> Tensor:
        if node.kind == "multiply":
            return left * right
        own = isinstance(self.network.nodes[node.sources[0]], (nodes.Zeros, nodes.Pair))
        alone = len(self.network.readers(node.sources[0])) == 1
        if self.in_place and own and alone and node.sources[0] not in self.network.outputs:
            left += right
            return left
        return left + right


def _parameter(values: Sequence[float], shape: Sequence[int] | None = None) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values).reshape(tuple(shape or [len(values)])))


def _norm(node: nodes.BatchNorm, *, maps: bool) -> nn.Module:
    norm = (nn.BatchNorm2d if maps else nn.BatchNorm1d)(len(node.mean), eps=0)
    state = {
        "running_mean": node.mean,
        "running_var": node.variance,
        "weight": node.scale,
        "bias": node.shift,
    }
    norm.load_state_dict({k: torch.tensor(v) for k, v in state.items()}, strict=False)
    return norm
