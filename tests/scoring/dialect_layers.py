"""Single layers on which the popular counters differ from each other, each with its input."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from tests.scoring.small import Run, Shape, weight

IMAGE = (2, 4, 6, 6)
TOKENS = (2, 5, 8)
LAYERS: dict[str, tuple[nn.Module, Shape]] = {
    "Conv1d": (nn.Conv1d(4, 6, 3), (2, 4, 9)),
    "Conv3d": (nn.Conv3d(4, 6, 3), (2, 4, 5, 5, 5)),
    "ConvTranspose2d": (nn.ConvTranspose2d(4, 6, 3, 2), IMAGE),
    "ConvTranspose2d, grouped": (nn.ConvTranspose2d(4, 6, 3, 2, groups=2), IMAGE),
    "BatchNorm1d": (nn.BatchNorm1d(4), (2, 4)),
    "BatchNorm2d": (nn.BatchNorm2d(4), IMAGE),
    "BatchNorm2d, plain": (nn.BatchNorm2d(4, affine=False), IMAGE),
    "BatchNorm2d of the batch": (nn.BatchNorm2d(4, track_running_stats=False), IMAGE),
    "GroupNorm": (nn.GroupNorm(2, 4), IMAGE),
    "GroupNorm, plain": (nn.GroupNorm(2, 4, affine=False), IMAGE),
    "InstanceNorm2d": (nn.InstanceNorm2d(4, affine=True), IMAGE),
    "InstanceNorm2d, plain": (nn.InstanceNorm2d(4), IMAGE),
    "InstanceNorm2d, stored": (nn.InstanceNorm2d(4, affine=True, track_running_stats=True), IMAGE),
    "LayerNorm": (nn.LayerNorm(8), TOKENS),
    "LayerNorm, plain": (nn.LayerNorm(8, elementwise_affine=False), TOKENS),
    "Upsample, nearest": (nn.Upsample(scale_factor=2), IMAGE),
    "Upsample, linear": (nn.Upsample(scale_factor=2, mode="linear"), (2, 4, 5)),
    "Upsample, bilinear": (nn.Upsample(scale_factor=2, mode="bilinear"), IMAGE),
    "Upsample, bicubic": (nn.Upsample(scale_factor=2, mode="bicubic"), IMAGE),
    "Upsample, trilinear": (nn.Upsample(scale_factor=2, mode="trilinear"), (2, 4, 5, 5, 5)),
    "interpolate": (Run(lambda _, x: F.interpolate(x, scale_factor=2, mode="bilinear")), IMAGE),
    "AvgPool2d": (nn.AvgPool2d(2), IMAGE),
    "AdaptiveAvgPool1d": (nn.AdaptiveAvgPool1d(1), (2, 4, 6)),
    "AdaptiveAvgPool2d to 1": (nn.AdaptiveAvgPool2d(1), IMAGE),
    "AdaptiveAvgPool2d to 3": (nn.AdaptiveAvgPool2d(3), IMAGE),
    "AdaptiveAvgPool3d": (nn.AdaptiveAvgPool3d(1), (2, 4, 6, 6, 6)),
    "adaptive_avg_pool2d": (Run(lambda _, x: F.adaptive_avg_pool2d(x, 1)), IMAGE),
    "mean": (Run(lambda _, x: x.mean((2, 3))), IMAGE),
    "mean, kept": (Run(lambda _, x: x.mean((2, 3), keepdim=True)), IMAGE),
    "Softmax": (nn.Softmax(-1), TOKENS),
    "Softmax over tokens": (nn.Softmax(1), TOKENS),
    "LogSoftmax": (nn.LogSoftmax(-1), TOKENS),
    "PReLU": (nn.PReLU(), IMAGE),
    "GELU": (nn.GELU(), IMAGE),
    "Linear": (nn.Linear(8, 16), TOKENS),
    "linear": (Run(lambda s, x: F.linear(x, s.w), w=weight(16, 8)), TOKENS),
    "conv2d": (Run(lambda s, x: F.conv2d(x, s.w), w=weight(3, 4, 3, 3)), IMAGE),
    "input @ weight": (Run(lambda s, x: x @ s.w, w=weight(8, 3)), TOKENS),
    "input @ input": (Run(lambda _, x: x @ x.mT), TOKENS),
    "bmm": (Run(lambda _, x: torch.bmm(x, x.mT)), TOKENS),
    "baddbmm": (Run(lambda s, x: torch.baddbmm(s.w, x, x.mT), w=weight(2, 5, 5)), TOKENS),
    "addbmm": (Run(lambda s, x: torch.addbmm(s.w, x, x.mT), w=weight(5, 5)), TOKENS),
    "addmm": (Run(lambda s, x: torch.addmm(s.w, x, x.mT), w=weight(5, 5)), (5, 8)),
    "mv": (Run(lambda s, x: torch.mv(s.w, x), w=weight(5, 8)), (8,)),
    "dot": (Run(lambda s, x: torch.dot(s.w, x)[None], w=weight(8)), (8,)),
    "einsum": (Run(lambda s, x: torch.einsum("bij,kj->bik", x, s.w), w=weight(3, 8)), TOKENS),
    "scaled_dot_product_attention": (
        Run(lambda _, x: F.scaled_dot_product_attention(x, x, x)),
        (2, 3, 5, 8),
    ),
    "MultiheadAttention": (
        Run(lambda s, x: s.f(x, x, x)[0], f=nn.MultiheadAttention(8, 2, batch_first=True)),
        TOKENS,
    ),
    "TransformerEncoderLayer": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), TOKENS),
    "LSTM": (nn.LSTM(8, 16, 2, batch_first=True), TOKENS),
    "LSTM, projected": (nn.LSTM(8, 16, proj_size=4), TOKENS),
    "GRU": (nn.GRU(8, 16), TOKENS),
    "RNN": (nn.RNN(8, 16), TOKENS),
    "LSTMCell": (nn.LSTMCell(8, 16), (2, 8)),
    "GRUCell": (nn.GRUCell(8, 16), (2, 8)),
    "RNNCell": (nn.RNNCell(8, 16), (2, 8)),
}
# What the books cannot say with the words they have; everything else must agree to the unit.
OWN = "thop has a formula of its own, with gates or by output size"
NOT_REPRODUCED = {
    **{
        ("thop", layer): OWN
        for layer in (
            "LSTM",
            "LSTM, projected",
            "GRU",
            "RNN",
            "LSTMCell",
            "GRUCell",
            "RNNCell",
            "ConvTranspose2d",
            "ConvTranspose2d, grouped",
        )
    },
    ("thop", "Upsample, linear"): "5 an element, but all interpolations are one kind: 11",
    ("thop", "Upsample, bicubic"): "259 an element, but all interpolations are one kind: 11",
    ("torch", "LSTM, projected"): "runs as matrix products, which FlopCounterMode sees",
    ("fvcore", "InstanceNorm2d, stored"): "runs as batch norm; fvcore sees instance_norm: 5",
    ("fvcore", "AdaptiveAvgPool1d"): "runs as a mean; fvcore has a rule for 2-d only",
    ("fvcore", "AdaptiveAvgPool3d"): "runs as a mean; fvcore has a rule for 2-d only",
    ("fvcore", "mean, kept"): "the same operator as a global average pool, which fvcore counts",
}
