"""Pruned with ``torch.nn.utils.prune``, and saved as it is: with weight_orig and weight_mask."""

import torch
from torch import nn
from torch.nn.utils import prune


def model() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.Conv2d(8, 4, 1, bias=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 10),
    )
    prune.l1_unstructured(net[0], "weight", amount=0.5)
    prune.ln_structured(net[2], "weight", amount=0.5, n=2, dim=0)
    prune.global_unstructured([(net[5], "weight")], prune.L1Unstructured, amount=0.25)
    return net
