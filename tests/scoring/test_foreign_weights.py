"""Weights as other people keep them: picked by an index, held flat, multiplied by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import micronet
from micronet.errors import MicronetError

IMAGE = (1, 3, 8, 8)


def storage(model: nn.Module) -> dict[str, int]:
    return dict(micronet.score(model, input_shape=IMAGE).document["storage"]["by"])


class Picked(nn.Module):
    """A codebook of 4 centroids, and a label for each of 8·3·3·3 = 216 weights."""

    labels: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.centroids = nn.Parameter(torch.tensor([0.31, -1.7, 0.93, 2.6]))
        self.register_buffer("labels", torch.arange(216).remainder(4).view(8, 3, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.centroids[self.labels])


def test_labels_that_pick_weights_are_stored() -> None:
    """216 labels of 2 bits, 4 centroids of 32 bits; and an entry that does so quantises."""
    assert storage(Picked()) == {"values": 216 * 2, "codebook": 4 * 32}
    assert micronet.score(Picked(), input_shape=IMAGE).document["freebie"] is False


class Flat(nn.Module):
    """216 weights in one row, every third of them kept, seen as a kernel."""

    mask: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(216))
        self.register_buffer("mask", (torch.arange(216) % 3 == 0).float())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, (self.weight * self.mask).view(8, 3, 3, 3))


def test_weights_held_flat_need_a_bitmask_like_others() -> None:
    """72 values of 16 bits and 216 bits that say where they are."""
    assert storage(Flat()) == {"values": 72 * 16, "bitmask": 216}


def test_a_masked_weight_is_called_by_its_weight_not_by_its_mask() -> None:
    (layer,) = micronet.score(Flat(), input_shape=IMAGE).document["layers"]
    assert layer["weight"] == "weight"


class Unfolded(nn.Module):
    """A convolution as a product with the patches of the image."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(8, 27))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight @ F.unfold(x, 3)


def test_patches_of_an_image_are_no_permutation_of_channels() -> None:
    assert storage(Unfolded()) == {"values": 216 * 16}


class Observed(nn.Module):
    """Fake quantisation that still watches ranges: it returns one tensor and overwrites others."""

    on: torch.Tensor
    fake: torch.Tensor
    zero: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    scale: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        for name, value in (("on", 1), ("fake", 1), ("zero", 0)):
            self.register_buffer(name, torch.tensor([value]))
        for name in ("low", "high", "scale"):
            self.register_buffer(name, torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fused_moving_avg_obs_fake_quant(
            x, self.on, self.fake, self.low, self.high, self.scale, self.zero, 0.1, 0, 255, 0
        )


def test_what_computes_one_thing_and_overwrites_another_is_refused() -> None:
    with pytest.raises(MicronetError, match="computes one thing and overwrites another"):
        micronet.score(Observed(), input_shape=IMAGE)


class Put(nn.Module):
    """Three of ten results put elsewhere, as a second head's answers are for some of a batch."""

    where: torch.Tensor

    def __init__(self, *, accumulate: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(4, 10, bias=False)
        self.accumulate = accumulate
        self.register_buffer("where", torch.tensor([1, 3, 5]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layer(x)
        rows = torch.zeros(3, dtype=torch.long)
        return y.index_put((rows, self.where), y[0, :3], accumulate=self.accumulate)


@pytest.mark.parametrize(("accumulate", "additions"), [(False, 10 * 3), (True, 10 * 3 + 3)])
def test_putting_results_into_place_is_free_and_adding_them_is_not(
    accumulate: bool, additions: int
) -> None:
    found = micronet.score(Put(accumulate=accumulate), input_shape=(1, 4))
    assert (found.multiplications, found.additions) == (10 * 4, additions)
