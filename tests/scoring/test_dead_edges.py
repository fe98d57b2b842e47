"""Networks made by hand whose exact cost can be worked out on paper."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.scoring.bills import bill, costs, edges

# --- dead channels --------------------------------------------------------------------------------

POSITIONS = 28 * 28


def block() -> nn.Sequential:
    """Pointwise 16 → 512, depthwise 3×3, pointwise 512 → 32 on 28×28 maps: 22.880 M dense."""
    return nn.Sequential(
        nn.Conv2d(16, 512, 1, bias=False),
        nn.BatchNorm2d(512),
        nn.ReLU(),
        nn.Conv2d(512, 512, 3, padding=1, groups=512, bias=False),
        nn.BatchNorm2d(512),
        nn.ReLU(),
        nn.Conv2d(512, 32, 1, bias=False),
    )


def without(
    model: nn.Sequential, *, inputs: bool, outputs: bool, constant: float = 0.0
) -> nn.Sequential:
    """448 of the 512 channels lose their inputs, their outputs, or hold a constant of the norm."""
    with torch.no_grad():
        if inputs:
            model.get_parameter("0.weight")[64:] = 0
        if outputs:
            model.get_parameter("6.weight")[:, 64:] = 0
        model.get_parameter("1.bias")[64:] = constant
    return model


@pytest.mark.parametrize(
    ("options", "channels", "sums", "live"),
    [
        # all 512 channels: 512·16 + 512·9 + 32·512 edges, 22,880,256 multiplications
        pytest.param({"inputs": False, "outputs": False}, 512, 512 * 16, 29_184, id="dense"),
        # 64 channels: 64·16 + 64·9 + 32·64, 2,860,032 multiplications; the depthwise taps of dead
        # channels go with them
        pytest.param({"inputs": True, "outputs": True}, 64, 64 * 16, 3_648, id="dead"),
        # zero in, zero through norm (mean 0, shift 0), ReLU and depthwise: the same
        pytest.param({"inputs": True, "outputs": False}, 64, 64 * 16, 3_648, id="dead inputs"),
        pytest.param({"inputs": False, "outputs": True}, 64, 64 * 16, 3_648, id="dead outputs"),
        # the trap: a constant is no longer constant after a zero-padded depthwise convolution,
        # so only the 448·16 pointwise edges go: 64·16 + 512·9 + 32·512, 17,260,544 multiplications
        pytest.param(
            {"inputs": True, "outputs": False, "constant": 0.1},
            512,
            64 * 16,
            22_016,
            id="norm constants",
        ),
    ],
)
def test_block_of_dead_channels(
    options: dict[str, float], channels: int, sums: int, live: int
) -> None:
    found = bill(without(block(), **options), (1, 16, 28, 28))  # type: ignore[arg-type]
    assert found.live == live
    # Norms fold: their shift is one addition more a sum, so n products take n additions; the last
    # pointwise has no norm and needs 32 fewer. Each channel that is left runs two ReLUs.
    additions = sums + channels * 9 + 32 * (channels - 1)
    assert costs(found) == (live * POSITIONS, additions * POSITIONS, 2 * channels * POSITIONS)


def test_a_running_mean_is_a_constant_too() -> None:
    model = without(block(), inputs=True, outputs=False)
    with torch.no_grad():
        model.get_buffer("1.running_mean")[64:] = 0.1
    assert bill(model, (1, 16, 28, 28)).live == 22_016


def test_a_norm_whose_shift_cancels_its_mean_is_no_constant() -> None:
    """shift − mean · scale / √variance = 1 − 2 · 1 / √4 = 0."""
    norm = nn.BatchNorm2d(2, eps=0)
    norm.load_state_dict(
        {
            "weight": torch.ones(2),
            "bias": torch.ones(2),
            "running_mean": torch.full((2,), 2.0),
            "running_var": torch.full((2,), 4.0),
            "num_batches_tracked": torch.tensor(0),
        }
    )
    model = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), norm, nn.ReLU(), nn.Conv2d(2, 1, 1, bias=False)
    )
    model.get_parameter("0.weight").data[1] = 0
    assert edges(bill(model, (1, 1, 2, 2))) == (4, 3, 2)


# --- one convolution ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "shape", "expected", "live"),
    [
        # 8 of 9 taps only ever meet padding
        pytest.param(
            nn.Conv2d(1, 1, 3, padding=1, bias=False), (1, 1), (1, 0, 0), 1, id="3x3 on 1x1"
        ),
        # on 2×2 every tap meets something somewhere; padded positions are executed: 4·9 and 4·8
        pytest.param(
            nn.Conv2d(1, 1, 3, padding=1, bias=False), (2, 2), (36, 32, 0), 9, id="3x3 on 2x2"
        ),
        # taps reach 4 left and right: outside a map of 3
        pytest.param(
            nn.Conv2d(1, 1, 3, padding=4, dilation=4, bias=False),
            (3, 3),
            (9, 0, 0),
            1,
            id="dilated on 3x3",
        ),
        # inside a map of 5 (from one border to the other): 25·9 and 25·8
        pytest.param(
            nn.Conv2d(1, 1, 3, padding=4, dilation=4, bias=False),
            (5, 5),
            (225, 200, 0),
            9,
            id="dilated on 5x5",
        ),
        # stride 2 on 2×2 with padding 1 reads rows −1, 0, 1 only: 1 position, row and column 0 of the
        # kernel meet padding: 4 of 9 taps
        pytest.param(
            nn.Conv2d(1, 1, 3, padding=1, stride=2, bias=False),
            (2, 2),
            (4, 3, 0),
            4,
            id="strided on 2x2",
        ),
        # even kernel, "same": padded by 1 before and 2 after
        pytest.param(
            nn.Conv2d(1, 1, 4, padding="same", bias=False), (1, 1), (1, 0, 0), 1, id="same on 1x1"
        ),
        # circular padding is no zero padding: all taps live
        pytest.param(
            nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular", bias=False),
            (2, 2),
            (36, 32, 0),
            9,
            id="circular on 2x2",
        ),
        # 16 input positions · 2·3·9 edges; 9×9 positions · 3 sums need one addition fewer each, and
        # have a bias each
        pytest.param(
            nn.ConvTranspose2d(2, 3, 3, stride=2),
            (4, 4),
            (864, 864 - 243 + 243, 0),
            54,
            id="transposed",
        ),
        # 16 positions · 2 groups · 2·3·9; 81 · 6 sums
        pytest.param(
            nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2, bias=False),
            (4, 4),
            (1728, 1728 - 486, 0),
            108,
            id="transposed, grouped",
        ),
        # the 8 outer taps write outside the only output
        pytest.param(
            nn.ConvTranspose2d(1, 1, 3, padding=1, bias=False),
            (1, 1),
            (1, 0, 0),
            1,
            id="transposed on 1x1",
        ),
        # 2 products each at 16 of the 7×7 outputs, nothing at the others: 16 additions
        pytest.param(
            nn.ConvTranspose2d(2, 1, 1, stride=2, bias=False),
            (4, 4),
            (32, 16, 0),
            2,
            id="transposed with gaps",
        ),
        # 2 products each at 16 of 5×5 outputs
        pytest.param(
            nn.ConvTranspose2d(2, 1, 2, stride=2, output_padding=1, bias=False),
            (2, 2),
            (32, 16, 0),
            8,
            id="transposed with output padding",
        ),
    ],
)
def test_one_convolution(
    layer: nn.Module, shape: tuple[int, int], expected: tuple[int, int, int], live: int
) -> None:
    channels = layer.in_channels
    assert isinstance(channels, int)
    found = bill(layer, (1, channels, *shape))
    assert (costs(found), found.live) == (expected, live)


@pytest.mark.parametrize("kind", ["average", "max"])
def test_an_edge_that_only_feeds_positions_no_pool_reads(kind: str) -> None:
    """2×2 outputs, of which the pool reads the first: there 3 of 4 taps meet padding."""
    convolution = nn.Conv2d(1, 1, 2, stride=2, padding=1, bias=False)
    pool = nn.AvgPool2d(1, 2) if kind == "average" else nn.MaxPool2d(1, 2)
    assert bill(nn.Sequential(convolution, pool), (1, 1, 2, 2)).live == 1
