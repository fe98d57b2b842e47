"""TensorFlow's "SAME" padding: the output has ceil(size / stride) pixels along each axis.

Where the padding is odd, the extra pixel is at the bottom and right. That happens at stride 2 on
even sizes, and torch's symmetric padding would compute another function there.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels to add (before, after) along one axis of ``size`` pixels."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """A convolution without bias under SAME padding; pads apart only where it is asymmetric."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, inputs, h, w] → [batch, outputs, ceil(h / stride), ceil(w / stride)]."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        top, bottom = same_padding(x.shape[2], kernel, stride)
        left, right = same_padding(x.shape[3], kernel, stride)
        padding = (top, left)
        if (top, left) != (bottom, right):
            x = F.pad(x, (left, right, top, bottom))
            padding = (0, 0)
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, groups=self.groups)


def same_pool3(x: Tensor, kind: str, stride: int) -> Tensor:
    """3×3 pooling, ``kind`` "avg" or "max", under SAME padding; padded pixels do not take part.

    ``ceil_mode`` lets the last window hang over the edge, which is the bottom and right padding.
    """
    top, _ = same_padding(x.shape[2], 3, stride)
    left, _ = same_padding(x.shape[3], 3, stride)
    if kind == "max":
        return F.max_pool2d(x, 3, stride, (top, left), ceil_mode=True)
    return F.avg_pool2d(x, 3, stride, (top, left), ceil_mode=True, count_include_pad=False)
