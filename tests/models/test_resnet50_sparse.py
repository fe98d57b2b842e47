"""Sparse ResNet-50: what each layer keeps, and that it is torchvision's network otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from micronet.models import build_model

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH_NORM = 53_120  # scale and shift of every channel


@pytest.mark.parametrize("dense_first", [False, True], ids=["all_sparse", "first_dense"])
def test_every_convolution_keeps_a_tenth_on_its_own(*, dense_first: bool) -> None:
    torch.manual_seed(0)
    model = build_model("resnet50_sparse", {"density": 0.1, "dense_first": dense_first})

    kept, total_kept = {}, 0
    for name, weight in model.named_parameters():
        if weight.dim() == 4:
            kept[name] = int(weight.count_nonzero())
            whole = dense_first and name == "conv1.weight"
            numel = weight.numel()
            assert kept[name] == (numel if whole else numel - int((1 - 0.1) * numel))
            total_kept += kept[name]

    assert len(kept) == 54  # 53 convolutions and the classifier
    # 25,556,032 parameters, of which 25,502,912 can be pruned; each layer rounds up.
    assert sum(weight.numel() for weight in model.parameters()) == 25_502_912 + BATCH_NORM
    first = 9408 if dense_first else 941
    assert kept["conv1.weight"] == first
    # A tenth of 25,502,912 is 2,550,291.2; rounding up each of 54 layers adds 26.8.
    assert total_kept == 2_550_318 - 941 + first


def test_classifier_is_a_linear_layer_stored_as_a_convolution() -> None:
    torch.manual_seed(0)
    classifier = build_model("resnet50_sparse", {}).get_submodule("fc")
    features = torch.randn(2, 2048)

    scores = classifier(features)

    assert isinstance(classifier, nn.Conv2d)
    assert torch.allclose(scores, features @ classifier.weight[:, :, 0, 0].T, atol=1e-4)


def test_multiply_accumulates_of_the_dense_twin_are_torchvisions(
    meta_model: Callable[[str, dict[str, object]], nn.Module],
) -> None:
    """The 4.09 "GFLOPS" that torchvision gives for its ResNet-50: the stride is in the 3×3."""
    model = meta_model("resnet50_sparse", {"density": 1.0})

    with torch.utils.flop_counter.FlopCounterMode(display=False) as counter:
        logits = model(torch.zeros(1, 3, 224, 224, device="meta"))

    assert logits.shape == (1, 1000)
    assert counter.get_total_flops() == 2 * 4_089_184_256
