"""DNW's own counter reads models: small wirings to the last edge, and the challenge entry."""

from __future__ import annotations

import struct
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from micronet.errors import MicronetError
from micronet.models import build_model
from micronet.models.mobilenetv1_dnw import Block
from micronet.scoring.dnw_formulas import AliveNodes, ReleaseCount, count_wiring
from micronet.scoring.dnw_release import (
    alive_nodes,
    count_release,
    entry_score,
    recount,
    release_tally,
    what_would_have_to_be_dead,
)
from micronet.scoring.printed import printed
from micronet.wiring import BlockShape, legal_edges, mobilenet_blocks, released_selection

if TYPE_CHECKING:
    from collections.abc import Sequence

Matrix = list[list[float]]

# Prune rate of each released wiring, and whether its classifier is sparse.
RELEASED = {
    "dnw_small_x15": (0.85, True),
    "dnw_small_x225": (0.775, True),
    "dnw_x225": (0.775, False),
    "rg_x225": (0.775, False),
    "dnw_x3": (0.7, False),
    "dnw_x49": (0.51, False),
    "rg_x49": (0.49, False),
}
WIDE = {"width": 2, "density": 0.5, "classifier": "sparse"}


@cache
def wide() -> nn.Module:
    torch.manual_seed(1)
    return build_model("mobilenetv1_dnw", WIDE)


# ---- an independent count: loops over the entries of W, and float32 by way of its four bytes ----


def float32(number: float) -> float:
    (rounded,) = struct.unpack("f", struct.pack("f", number))
    return float(rounded)


def naive(
    matrices: Sequence[tuple[BlockShape, Matrix]], prune_rate: float, classes: int, *, sparse: bool
) -> tuple[int, int]:
    """(parameters, multiply-accumulates) of graphs at 112, 56, … pixels; w[target][source]."""
    parameters = macs = 0
    side = 112
    for index, (shape, w) in enumerate(matrices):
        rows, columns = len(w), len(w[0])
        read = [False] * columns
        fed = [False] * rows
        for target in range(rows):
            for source in range(columns):
                if w[target][source] != 0:
                    read[source] = True
                    fed[target] = True
        wanted = shape.inputs * shape.outputs * (1 - prune_rate) * (1 - prune_rate)
        for _ in range(shape.levels - 1):
            wanted += shape.outputs * shape.outputs * (1 - prune_rate) * (1 - prune_rate)
        edges = rows * columns * (1 - (1 - wanted / (rows * columns)))
        nodes = sum(read)
        parameters += int(float32(float32(9 * nodes) + float32(edges)))
        of_nodes = 9 * nodes * side * side
        macs += int(float32(float32(of_nodes) + float32(edges * side * side)))
        if index == 0:
            parameters += 27 * sum(read[: shape.inputs])
            macs += 27 * sum(read[: shape.inputs]) * side * side
        outputs, features = sum(fed[-shape.outputs :]), shape.outputs
        if index + 1 < len(matrices):
            side //= 2
    macs += outputs * side * side
    classifier = int(features * classes * (1 - prune_rate)) if sparse else outputs * classes
    return parameters + classifier, macs + classifier


SMALL = (
    BlockShape(4, 6, 1, 1),
    BlockShape(6, 8, 2, 2),
    BlockShape(8, 10, 2, 2),
    BlockShape(10, 12, 2, 6),
    BlockShape(12, 14, 2, 2),
)


def wired_by_hand(shape: BlockShape, prune_rate: float, seed: int) -> torch.Tensor:
    """A drawn matrix with illegal entries ranked in, then nodes killed on purpose.

    Input 0 and the last output lose their edges and die. The last hidden node keeps one edge, an
    illegal one back to the first level, and lives by it.
    """
    torch.manual_seed(seed)
    w = torch.randn(shape.targets, shape.sources)
    w = w * released_selection(w, shape.released_prune_rate(prune_rate))
    w[:, 0] = 0
    w[-1, :] = 0
    if shape.levels > 1:
        w[:, -1] = 0
        w[0, -1] = 0.5
    return w


@pytest.mark.parametrize("name", RELEASED)
def test_small_wirings_to_the_last_edge(name: str) -> None:
    prune_rate, sparse = RELEASED[name]
    weights = [wired_by_hand(shape, prune_rate, seed) for seed, shape in enumerate(SMALL)]
    graphs = [alive_nodes(*pair) for pair in zip(SMALL, weights, strict=True)]
    count = count_wiring(graphs, prune_rate, 7, sparse_classifier=sparse)

    matrices = [(shape, w.tolist()) for shape, w in zip(SMALL, weights, strict=True)]
    assert (count.parameters, count.macs) == naive(matrices, prune_rate, 7, sparse=sparse)
    assert all(graph.inputs < graph.shape.inputs for graph in graphs)
    assert all(graph.outputs < graph.shape.outputs for graph in graphs)
    for shape, w in zip(SMALL, weights, strict=True):
        assert bool(((w != 0) & ~legal_edges(shape)).any()) == (shape.levels > 1)


def test_one_small_graph_by_hand() -> None:
    """2 inputs and 2 levels of 2: an illegal edge keeps its source alive; one output has no edge."""
    shape = BlockShape(2, 2, 1, 2)
    w = torch.zeros(4, 4)
    w[0, 1] = 1.0  # input 1 → hidden 0
    w[1, 2] = 1.0  # hidden 0 → hidden 1: illegal, and hidden 0 counts as alive
    w[3, 1] = 1.0  # input 1 → output 1; output 0 has no edge in
    alive = alive_nodes(shape, w)

    assert alive == AliveNodes(shape, inputs=1, nodes=2, outputs=1)
    count = count_wiring([alive], 0.5, 10, sparse_classifier=False)
    # A quarter of 2·2 + 2·2 edges; all at 112 × 112 pixels.
    assert [(row.name, row.parameters, row.macs) for row in count.layers] == [
        ("conv1", 27, 27 * 12_544),
        ("layers.0", 9 * 2 + 2, (9 * 2 + 2) * 12_544),
        ("pool", 0, 12_544),
        ("linear", 10, 10),
    ]
    assert count.row("layers.0").budget == 2


def test_a_matrix_of_another_graph_is_refused() -> None:
    with pytest.raises(MicronetError, match=r"4 targets and 4 sources cannot have 4 × 5 edges"):
        alive_nodes(BlockShape(2, 2, 1, 2), torch.ones(4, 5))


@pytest.mark.parametrize(
    "config",
    [{"density": 0.51, "wiring": "random"}, {"density": 0.225, "classifier": "sparse"}],
    ids=["rg_x49", "dnw_small_x225"],
)
def test_whole_models_to_the_last_edge(config: dict[str, object]) -> None:
    torch.manual_seed(3)
    model = build_model("mobilenetv1_dnw", config)
    matrices = []
    for shape, index in zip(mobilenet_blocks(1), range(5), strict=True):
        block = model.get_submodule(f"layers.{index}")
        assert isinstance(block, Block)
        with torch.no_grad():
            block.graph.weight[:, 3] = 0  # an input dies,
            block.graph.weight[-2:, :] = 0  # and two outputs
        matrices.append((shape, block.graph.edge_weights().flatten(1).tolist()))
    count = count_release(model, "mobilenetv1_dnw", config)

    prune_rate = float(1 - Fraction(str(config["density"])))
    sparse = config.get("classifier") == "sparse"
    assert (count.parameters, count.macs) == naive(matrices, prune_rate, 1000, sparse=sparse)
    assert count.row("conv1").alive <= 31
    assert count.row("pool").alive == 1022
    assert count.notes == ()


def test_images_are_always_taken_to_have_224_pixels() -> None:
    small = {"density": 0.225, "image_size": 32}
    count = count_release(build_model("mobilenetv1_dnw", small), "mobilenetv1_dnw", small)

    assert count.macs == 56_609_976
    assert count.notes == ("DNW's code assumes images of 224 pixels",)


# ---- ResNet-50, the challenge entry ----


def resnet50_convolutions() -> list[tuple[int, int]]:
    """(weights, output positions) of the 53 convolutions and the classifier of ResNet-50 v1.5."""
    found = [(64 * 3 * 49, 112 * 112)]
    channels, side = 64, 56
    for planes, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            before = side
            side = before // 2 if block == 0 and planes > 64 else before
            found += [(channels * planes, before**2), (9 * planes**2, side**2)]
            found += [(4 * planes**2, side**2)]
            if block == 0:
                found.append((channels * 4 * planes, side**2))
            channels = 4 * planes
    return [*found, (2048 * 1000, 1)]


@cache
def resnet(*, dense_first: bool) -> tuple[nn.Module, ReleaseCount]:
    config: dict[str, object] = {"density": 0.1, "dense_first": dense_first}
    model = build_model("resnet50_sparse", config)
    return model, count_release(model, "resnet50_sparse", config)


@pytest.mark.parametrize(
    ("dense_first", "parameters", "macs"),
    [(True, 2_558_732, 515_231_310), (False, 2_550_264, 409_018_753)],
    ids=["first_dense", "all_sparse"],
)
def test_challenge_entry(dense_first: bool, parameters: int, macs: int) -> None:
    _, count = resnet(dense_first=dense_first)

    tenth = 1 - 0.9  # 0.09999999999999998
    rates = [1.0 if dense_first else tenth] + [tenth] * 53
    layers = list(zip(rates, resnet50_convolutions(), strict=True))
    assert parameters == sum(int(rate * weights) for rate, (weights, _) in layers)
    assert macs == sum(int(rate * (n * uses)) for rate, (n, uses) in layers) + 49 * 2048
    assert (count.parameters, count.macs) == (parameters, macs)
    assert len(count.layers) == 55  # 53 convolutions, the pool and the classifier
    # Each layer keeps a fraction of an edge more than the count says.
    kept = sum(row.alive for row in count.layers if row.budget is not None)
    assert kept - count.parameters == (53 if dense_first else 54)


def test_challenge_entry_score() -> None:
    model, count = resnet(dense_first=True)
    score = entry_score(count)

    assert score == Fraction(2_558_732, 6_900_000) / 2 + Fraction(
        515_231_310 * 3, 2 * 1_170_000_000
    )
    assert printed("0.84597").rounded_from(score)
    assert printed("0.8460").rounded_from(score)
    found, remark = recount(model, "resnet50_sparse", {"density": 0.1, "dense_first": True})
    assert found == {"parameters": 2_558_732, "macs": 515_231_310, "score": score}
    assert remark is None


# ---- what is not judged, claims, and the bill ----


@pytest.mark.parametrize(
    ("model", "architecture", "said"),
    [
        (nn.Linear(2, 2), "torchvision:resnet18", "found torchvision:resnet18"),
        (nn.Linear(2, 2), "mobilenetv1_dnw", "found mobilenetv1_dnw as Linear"),
    ],
    ids=["architecture", "model"],
)
def test_other_networks_are_not_judged(model: nn.Module, architecture: str, said: str) -> None:
    with pytest.raises(MicronetError) as caught:
        count_release(model, architecture, {})

    assert (
        caught.value.message == f"dnw-release judges mobilenetv1_dnw and resnet50_sparse, {said}."
    )
    assert caught.value.next_step == "Choose another rule book, such as --rules macs."


def test_shapes_without_weights_are_not_judged() -> None:
    with torch.device("meta"):
        model = build_model("mobilenetv1_dnw", {})

    with pytest.raises(MicronetError, match="needs the weights of mobilenetv1_dnw"):
        count_release(model, "mobilenetv1_dnw", {})


def test_a_claim_is_set_against_the_model_as_it_is() -> None:
    dead = what_would_have_to_be_dead(wide(), WIDE, "582M", "4.2M")

    assert (dead.macs.found, dead.parameters.found) == (597_064_704, 4_254_592)
    assert (dead.macs.least, dead.macs.most) == (14_064_705, 15_564_704)


def test_the_bill_adds_up_and_the_recount_says_the_same() -> None:
    bill = release_tally(wide(), "mobilenetv1_dnw", WIDE)

    assert sum(row.cost.total for row in bill.layers) == bill.cost.total == 597_064_704
    assert sum(row.storage_bits for row in bill.layers) == bill.storage_bits == 32 * 4_254_592
    assert bill.active == bill.live == 4_254_592  # every weight but batch norms is an edge
    found, remark = recount(wide(), "mobilenetv1_dnw", WIDE)
    assert found == {"parameters": 4_254_592, "macs": 597_064_704}
    assert remark == "up to 56,448,000 of them go as stem channels and nodes die in training"


def test_the_bill_counts_masked_weights_as_absent() -> None:
    random = {"density": 0.225, "wiring": "random"}
    torch.manual_seed(0)  # one in some sixteen draws of a million weights holds an exact zero
    bill = release_tally(build_model("mobilenetv1_dnw", random), "mobilenetv1_dnw", random)

    assert bill.active == 864 + 44_640 + 158_944 + 1_024_000  # stem, nodes, edges, classifier
    assert bill.storage_bits == 32 * (bill.active - 5)
