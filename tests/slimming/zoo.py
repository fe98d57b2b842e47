"""Small networks to slim, and what makes any network sparse; also ``file.py:factory`` targets."""

from __future__ import annotations

import random
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd


@torch.no_grad()
def made_sparse(
    model: nn.Module, seed: int = 0, *, density: float = 0.1, killed: float = 1 / 8
) -> nn.Module:
    """``density`` of each weight kept, norms with statistics, and a share of the channels ``killed``."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, _ConvNd | nn.Linear):
            module.weight.mul_(torch.rand(module.weight.shape, generator=generator) < density)
        elif isinstance(module, _BatchNorm):
            for tensor in (module.running_mean, module.bias):
                cast("Tensor", tensor).normal_(0, 0.2, generator=generator)
            for tensor in (module.running_var, module.weight):
                cast("Tensor", tensor).uniform_(0.5, 1.5, generator=generator)
            dead = torch.rand(module.num_features, generator=generator) < killed
            module.weight[dead] = 0
            module.bias[dead] = 0
    return model.eval()


class RandomNet(nn.Module):
    """Convolutions of every kind with and without norms, residuals, and a head with a norm."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        choose = random.Random(seed)  # noqa: S311  # no secret
        self.image_size = 12
        width = 8
        self.stem = nn.Conv2d(3, width, 3, padding=choose.choice((0, 1)))
        self.blocks = nn.ModuleList()
        for _ in range(choose.randint(2, 4)):
            groups = choose.choice((1, 2, width))
            make = choose.choice((nn.Conv2d, nn.Conv2d, nn.ConvTranspose2d))
            layer = make(width, width, 3, padding=1, groups=groups, bias=choose.random() < 0.5)
            norm = nn.BatchNorm2d(width) if choose.random() < 0.8 else nn.Identity()
            act = choose.choice((nn.ReLU(), nn.ReLU6(), nn.Sigmoid()))
            self.blocks.append(nn.Sequential(layer, norm, act))
        self.residual = choose.random() < 0.5
        self.hidden = nn.Linear(width, 16, bias=choose.random() < 0.5)
        self.norm = nn.BatchNorm1d(16)
        self.head = nn.Linear(16, 5)
        self.never_used = nn.Linear(7, 7)

    def forward(self, x: Tensor) -> Tensor:
        """Image [batch, 3, 12, 12] → [batch, 5]."""
        x = F.relu(self.stem(x))
        for block in self.blocks:
            x = x + block(x) if self.residual else block(x)
        features = x.mean((2, 3))
        result: Tensor = self.head(F.relu(self.norm(self.hidden(features))))
        return result


def small() -> nn.Module:
    """What ``zoo.py:small`` builds: the same every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return made_sparse(RandomNet(3), density=0.5)


def restless() -> nn.Module:
    """A network whose answer hangs on a number that no checkpoint holds: never the same twice."""
    model = small()
    cast("RandomNet", model).head.register_forward_hook(_Restless(random.random()))  # noqa: S311
    return model


class _Restless:
    def __init__(self, number: float) -> None:
        self.number = number

    def __call__(self, module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        del module, inputs
        return output * (1 + self.number)
