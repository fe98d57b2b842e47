"""The networks that are counted: eleven from torchvision at 224 pixels, and an LSTM language model."""
# ruff: noqa: INP001  # scripts, never imported by the package

from __future__ import annotations

import torch
from torch import Tensor, nn

VISION = (
    "mobilenet_v2 mobilenet_v3_small resnet18 resnet50 shufflenet_v2_x1_0 efficientnet_b0 "
    "mnasnet1_0 densenet121 vit_b_16 convnext_tiny swin_t"
).split()
MODELS = (*VISION, "lstm_lm")


class LanguageModel(nn.Module):
    """Embedding 10 000 × 512, two LSTM layers of 512, and a decoder to 10 000 words."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10_000, 512)
        self.recurrent = nn.LSTM(512, 512, num_layers=2, batch_first=True)
        self.decoder = nn.Linear(512, 10_000)

    def forward(self, tokens: Tensor) -> Tensor:
        """[batch, time] → [batch, time, words]."""
        states, _ = self.recurrent(self.embedding(tokens))
        decoded: Tensor = self.decoder(states)
        return decoded


def tiny() -> nn.Module:
    """What every tool counts first, so that late imports are nobody's cost."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4)
    )


def build(name: str) -> nn.Module:
    """The seeded network, in evaluation mode, without a single weight that happens to be zero.

    (torchvision fills the last layer of ViT with zeros, and random floats do hit zero: counters that
    leave zeros out would rightly count less.)
    """
    torch.manual_seed(0)
    if name == "tiny":
        model = tiny()
    elif name == "lstm_lm":
        model = LanguageModel()
    else:
        import torchvision

        model = getattr(torchvision.models, name)()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1 and not parameter.is_meta:
                zeros = parameter == 0
                parameter[zeros] = torch.randn(int(zeros.count_nonzero())) * 0.01
    return model.eval()


def sample(name: str, device: str = "cpu") -> Tensor:
    """One input: an image of 224 pixels (``tiny``: 8), or 35 tokens."""
    if name == "lstm_lm":
        return torch.ones(1, 35, dtype=torch.int64, device=torch.device(device))
    side = 8 if name == "tiny" else 224
    return torch.ones(1, 3, side, side, device=torch.device(device))
