"""The challenge entry under the challenge's rules, counted again from its tensors alone."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import NamedTuple

import torch
from torch import nn

from micronet.models import build_model
from micronet.scoring.network import Network
from micronet.scoring.rulebook import rule_book
from micronet.scoring.tally import Tally, tally
from micronet.scoring.trace import meta_input, trace
from micronet.scoring.tracks import track

STAGES = ((1, 3, 56), (2, 4, 28), (3, 6, 14), (4, 3, 7))  # stage, blocks, side of its results


@cache
def network() -> nn.Module:
    torch.manual_seed(0)
    return build_model("resnet50_sparse", {"density": 0.1, "dense_first": True})


@cache
def bill() -> Tally:
    learned = [(name, parameter.numel()) for name, parameter in network().named_parameters()]
    traced = Network(trace(network(), [meta_input((1, 3, 224, 224))]))
    return tally(traced, rule_book("micronet2019"), learned)


class Counted(NamedTuple):
    """One convolution by its own tensor."""

    edges: int
    rows: list[bool]
    columns: int


@cache
def counted(name: str) -> Counted:
    """One weight; every column must have a nonzero, or more than empty rows would be dead."""
    weight = network().get_parameter(f"{name}.weight") != 0
    assert bool(weight.any(dim=3).any(dim=2).any(dim=0).all())
    rows = [bool(row.any()) for row in weight]
    return Counted(int(weight.sum()), rows, weight[0].numel())


def convolutions() -> dict[str, int]:
    """Name → output positions of every convolution that batch norm follows."""
    found = {"conv1": 112 * 112}
    for stage, blocks, side in STAGES:
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            strided = block == 0 and stage > 1
            found[f"{name}.conv1"] = (2 * side if strided else side) ** 2
            found |= dict.fromkeys((f"{name}.conv2", f"{name}.conv3"), side**2)
            if block == 0:
                found[f"{name}.downsample.0"] = side**2
    return found


def test_kept_edges_are_a_tenth_of_each_layer_and_the_whole_first() -> None:
    sizes = [
        parameter.numel()
        for name, parameter in network().named_parameters()
        if parameter.dim() == 4
    ]
    expected = sizes[0] + sum(size - int(0.9 * size) for size in sizes[1:])

    assert sizes[0] == 9_408
    assert bill().active == bill().live == expected == 2_558_785


def test_storage_is_values_mask_and_shifts() -> None:
    names = [*convolutions(), "fc"]
    values = 16 * sum(counted(name).edges for name in names)
    # The mask covers live rows × columns; the first layer is dense and needs none.
    mask = sum(sum(counted(name).rows) * counted(name).columns for name in names[1:])
    shifts = 16 * sum(sum(counted(name).rows) for name in names[:-1])  # the classifier has no norm

    assert dict(bill().storage_by) == {"values": values, "bitmask": mask, "normalisation": shifts}
    # 25,493,504 weights behind the first layer, less three empty rows of 64 in the first stage.
    assert mask == 25_493_504 - 3 * 64
    assert shifts == 16 * (26_560 - 3)
    assert values + mask + shifts == bill().storage_bits == 66_858_784


def residual_additions() -> int:
    """Channels where both branches can be nonzero, times positions. Plain branches always can."""
    total = 0
    for stage, blocks, side in STAGES:
        for block in range(blocks):
            rows = counted(f"layer{stage}.{block}.conv3").rows
            if block == 0:
                other = counted(f"layer{stage}.0.downsample.0").rows
                rows = [a and b for a, b in zip(rows, other, strict=True)]
            total += sum(rows) * side**2
    return total


def relus() -> int:
    """One an element of every live channel; after the sum a channel lives by either branch."""
    total = 64 * 112 * 112
    for name, positions in convolutions().items():
        if name.endswith((".conv1", ".conv2")):
            total += sum(counted(name).rows) * positions
        elif name.endswith(".conv3"):
            total += len(counted(name).rows) * positions
    return total


def test_operations_are_products_sums_and_the_rest() -> None:
    products = sum(counted(name).edges * each for name, each in convolutions().items())
    classifier = counted("fc")
    pool = 2048
    multiplications = products + classifier.edges + pool
    # n - 1 additions a dot product and 1 for the folded shift: n. The classifier has no shift.
    additions = (
        products + classifier.edges - sum(classifier.rows) + residual_additions() + 48 * pool
    )
    other = relus() + 8 * 64 * 56 * 56  # max pool of 3 × 3: 8 comparisons

    cost = bill().cost
    assert (cost.multiplications, cost.additions, cost.other) == (multiplications, additions, other)
    assert cost.total == Fraction(multiplications, 2) + additions + other == 789_557_780


def test_score_is_977638_millionths_where_the_entry_claims_845968() -> None:
    """A rule-following estimate is 0.978; the difference is the bitmask and what was counted 0."""
    score = track("imagenet").score(Fraction(bill().storage_bits, 32), bill().cost.total)

    assert bill().freebie
    assert score.total == Fraction(66_858_784, 32 * 6_900_000) + Fraction(
        789_557_780, 1_170_000_000
    )
    assert f"{float(score.total):.6f}" == "0.977638"
