"""One layer at a time, by hand: what every counter has got wrong somewhere.

Multiplications are those of ``macs``; additions and others those of ``micronet2019``, where a dot
product of n weights takes n - 1 additions and a bias one more. All weights are random and not zero.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.scoring.small import Run, Shape, bill, weight

# Each: module, input, multiplications and additions.
LAYERS: dict[str, tuple[nn.Module, Shape, int, int]] = {
    # 6 × 6 positions, 8 rows of 27 edges; with a bias 27 additions each, without one 26.
    "conv": (nn.Conv2d(3, 8, 3, bias=False), (1, 3, 8, 8), 36 * 8 * 27, 36 * 8 * 26),
    "conv with bias": (nn.Conv2d(3, 8, 3), (1, 3, 8, 8), 36 * 8 * 27, 36 * 8 * 27),
    "batch of 3": (nn.Conv2d(3, 8, 3), (3, 3, 8, 8), 3 * 36 * 8 * 27, 3 * 36 * 8 * 27),
    "pointwise": (nn.Conv2d(8, 4, 1), (1, 8, 5, 5), 25 * 4 * 8, 25 * 4 * 8),
    "one edge a row": (nn.Conv2d(1, 4, 1, bias=False), (1, 1, 5, 5), 25 * 4, 0),
    "depthwise": (
        nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),
        (1, 8, 5, 5),
        8 * 25 * 9,
        8 * 25 * 8,
    ),
    "grouped": (nn.Conv2d(8, 6, 3, groups=2), (1, 8, 5, 5), 9 * 6 * 4 * 9, 9 * 6 * 4 * 9),
    # ⌊(11 - 5) / 2⌋ + 1 = 4 positions a side
    "strided and dilated": (
        nn.Conv2d(4, 6, 3, stride=2, dilation=2),
        (1, 4, 11, 11),
        16 * 6 * 36,
        16 * 6 * 36,
    ),
    "padding same": (nn.Conv2d(4, 6, 3, padding="same"), (1, 4, 7, 7), 49 * 6 * 36, 49 * 6 * 36),
    "padding same, even kernel": (
        nn.Conv2d(4, 6, 4, padding="same"),
        (1, 4, 7, 7),
        49 * 6 * 64,
        49 * 6 * 64,
    ),
    "reflected padding": (
        nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"),
        (1, 4, 7, 7),
        49 * 6 * 36,
        49 * 6 * 36,
    ),
    "1-d": (nn.Conv1d(4, 6, 3), (1, 4, 9), 7 * 6 * 12, 7 * 6 * 12),
    "3-d": (nn.Conv3d(2, 4, 3), (1, 2, 5, 5, 5), 27 * 4 * 54, 27 * 4 * 54),
    "without batch dimension": (nn.Conv2d(3, 8, 3), (3, 8, 8), 36 * 8 * 27, 36 * 8 * 27),
    # Transposed: every edge is used once an input position (5 × 5); the products of one output are
    # added up, one addition fewer than products (11 × 11 outputs), and the bias gives it back.
    "transposed": (nn.ConvTranspose2d(4, 6, 3, 2), (1, 4, 5, 5), 25 * 4 * 54, 25 * 4 * 54),
    "transposed without bias": (
        nn.ConvTranspose2d(4, 6, 3, 2, bias=False),
        (1, 4, 5, 5),
        25 * 4 * 54,
        25 * 4 * 54 - 121 * 6,
    ),
    "transposed and grouped": (
        nn.ConvTranspose2d(4, 6, 3, 2, groups=2),
        (1, 4, 5, 5),
        25 * 4 * 27,
        25 * 4 * 27,
    ),
    "transposed and depthwise": (
        nn.ConvTranspose2d(4, 4, 3, 2, groups=4, bias=False),
        (1, 4, 5, 5),
        25 * 4 * 9,
        25 * 4 * 9 - 121 * 4,
    ),
    "transposed, 1-d": (nn.ConvTranspose1d(4, 6, 3, 2), (1, 4, 5), 5 * 4 * 18, 5 * 4 * 18),
    "transposed, 3-d": (nn.ConvTranspose3d(2, 3, 2), (1, 2, 3, 3, 3), 27 * 2 * 24, 27 * 2 * 24),
    # A kernel smaller than its stride leaves outputs without any product: 25 of 81 have one.
    "transposed with gaps": (
        nn.ConvTranspose2d(4, 6, 1, 2, bias=False),
        (1, 4, 5, 5),
        25 * 24,
        25 * 6 * 3,
    ),
    "linear, 2-d": (nn.Linear(8, 16), (5, 8), 5 * 128, 5 * 128),
    "linear, 3-d": (nn.Linear(8, 16), (2, 5, 8), 10 * 128, 10 * 128),
    "linear, 4-d": (nn.Linear(8, 16, bias=False), (2, 3, 5, 8), 30 * 128, 30 * 16 * 7),
    "linear, 1-d": (nn.Linear(8, 16), (8,), 128, 128),
    "F.conv2d": (
        Run(lambda s, x: F.conv2d(x, s.w, s.b), w=weight(8, 3, 3, 3), b=weight(8)),
        (1, 3, 8, 8),
        36 * 8 * 27,
        36 * 8 * 27,
    ),
    "F.linear": (Run(lambda s, x: F.linear(x, s.w), w=weight(16, 8)), (5, 8), 640, 5 * 16 * 7),
    "input @ weight": (Run(lambda s, x: x @ s.w, w=weight(8, 4)), (5, 8), 160, 5 * 4 * 7),
    "weight @ input": (Run(lambda s, x: s.w @ x, w=weight(4, 5)), (5, 8), 160, 8 * 4 * 4),
    "matrix · vector": (Run(lambda s, x: s.w @ x, w=weight(5, 8)), (8,), 40, 5 * 7),
    "vectors": (Run(lambda s, x: (x @ s.w)[None], w=weight(8)), (8,), 8, 7),
    "tokens @ vector": (Run(lambda s, x: x @ s.w, w=weight(8)), (2, 5, 8), 80, 10 * 7),
    "broadcast matmul": (
        Run(lambda s, x: x @ s.w, w=weight(8, 4)),
        (2, 3, 5, 8),
        30 * 32,
        30 * 4 * 7,
    ),
    "matmul by heads": (
        Run(lambda s, x: x @ s.w, w=weight(3, 8, 4)),
        (2, 3, 5, 8),
        30 * 32,
        30 * 4 * 7,
    ),
    "bmm": (Run(lambda _, x: torch.bmm(x, x.mT)), (2, 5, 8), 2 * 25 * 8, 2 * 25 * 7),
    "addbmm": (
        Run(lambda s, x: torch.addbmm(s.w, x, x.mT), w=weight(5, 5)),
        (2, 5, 8),
        2 * 25 * 8,
        2 * 25 * 7 + 25 + 25,  # within a product; of the two products; of the bias
    ),
    "addmm": (
        Run(lambda s, x: torch.addmm(s.b, x, s.w), w=weight(8, 4), b=weight(4)),
        (5, 8),
        160,
        160,
    ),
    "einsum with a weight": (
        Run(lambda s, x: torch.einsum("bij,kj->bik", x, s.w), w=weight(3, 8)),
        (2, 5, 8),
        10 * 24,
        10 * 3 * 7,
    ),
    "einsum of activations": (
        Run(lambda _, x: torch.einsum("bij,bkj->bik", x, x)),
        (2, 5, 8),
        2 * 25 * 8,
        2 * 25 * 7,
    ),
    "called twice": (Run(lambda s, x: s.f(s.f(x)), f=nn.Linear(8, 8)), (1, 8), 128, 128),
    "never called": (
        Run(lambda s, x: s.f(x), f=nn.Linear(8, 4), g=nn.Linear(8, 99)),
        (1, 8),
        32,
        32,
    ),
    "frozen": (nn.Linear(8, 4).requires_grad_(requires_grad=False), (1, 8), 32, 32),
}


@pytest.mark.parametrize("name", LAYERS)
def test_multiplications_and_additions_of_one_layer(name: str) -> None:
    model, shape, multiplications, additions = LAYERS[name]
    macs = bill(model, shape).cost
    assert macs.multiplications == macs.total == multiplications
    whole = bill(model, shape, book="micronet2019").cost
    assert (whole.multiplications, whole.additions, whole.other) == (multiplications, additions, 0)


def test_a_module_called_twice_is_stored_once() -> None:
    found = bill(*LAYERS["called twice"][:2])
    assert found.storage_bits == 32 * (64 + 8)
    assert [(row.name, row.calls) for row in found.layers] == [("f", 2)]


def test_a_module_that_is_never_called_is_neither_run_nor_stored() -> None:
    assert bill(*LAYERS["never called"][:2]).storage_bits == 32 * (32 + 4)


def test_the_tool_that_counts_files_stores_what_is_never_called() -> None:
    # learned numbers of everything in the file: 8·4 + 4 and 8·99 + 99
    assert bill(*LAYERS["never called"][:2], book="fvcore").storage_bits == 32 * (36 + 891)
