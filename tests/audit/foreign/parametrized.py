"""Weights through ``torch.nn.utils.parametrize``: a mask of N:M sparsity, and a low-rank product."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class TwoOfFour(nn.Module):
    """Keeps the two largest of every four weights along the inputs."""

    def forward(self, weight: Tensor) -> Tensor:
        groups = weight.view(-1, 4)
        order = groups.abs().argsort(dim=1)[:, :2]
        return groups.scatter(1, order, 0.0).view_as(weight)


class Halved(nn.Module):
    """Weights stored twice as large as they are used."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight * 0.5


def model() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(16, 32, bias=False), nn.ReLU(), nn.Linear(32, 10))
    parametrize.register_parametrization(net[0], "weight", TwoOfFour())
    parametrize.register_parametrization(net[2], "weight", Halved())
    return net
